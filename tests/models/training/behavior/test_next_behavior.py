"""Training of the next action: steps, counts, weights and scores."""

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from models.behavior.next_behavior import (
    ACTIONS,
    LEAVE,
    OUTCOMES,
    SHIPPED,
    START,
    NextBehavior,
    shipped_next_behavior,
)
from models.behavior.session_features import FEATURES
from models.behavior.session_tilt import SHIPPED_TILT, SessionTilt
from models.training.behavior.held_out import LAST_TWO, WITH_SESSION, held_out_scores
from models.training.behavior.next_behavior import TABLE, main
from models.training.behavior.scores import auc, score
from models.training.behavior.session_tilt import fit
from models.training.behavior.steps import Step, steps_of
from models.training.behavior.transitions import count
from schemas.events import Action, UserBehavior
from schemas.keys import shopper_id

VIEW, CART, PURCHASE = (ACTIONS.index(each) for each in (Action.VIEW, Action.CART, Action.PURCHASE))
START_TIME = datetime(2026, 3, 1, tzinfo=UTC)


def event(minute: float, session: str, action: Action = Action.VIEW, product: str = "a") -> UserBehavior:
    """An event of a shopper with one session."""
    return UserBehavior(
        occurred_at=START_TIME + timedelta(minutes=minute),
        action=action,
        product_id=product,
        user_id=f"user of {session}",
        session_id=session,
    )


def outcomes(steps: Sequence[Step]) -> list[tuple[int, int, int, int, bool]]:
    return [(each.session, each.previous, each.last, each.outcome, each.known) for each in steps]


def test_a_step_tells_what_came_next_and_leaving_only_where_it_is_known() -> None:
    events = [
        event(0, "s"),
        event(1, "s", Action.CART),
        event(2, "t"),
        event(40, "u"),
        event(45, "u", Action.PURCHASE),
        event(60, "v"),
    ]
    assert outcomes(steps_of(events, shopper_id)) == [
        (0, START, VIEW, CART, True),
        (0, VIEW, CART, LEAVE, True),
        (1, START, VIEW, LEAVE, True),
        (2, START, VIEW, PURCHASE, False),
    ]


def test_a_step_holds_the_own_counts_of_that_moment() -> None:
    events = [event(0, "s"), event(1, "s", product="b"), event(2, "s", Action.CART), event(100, "end")]
    first, second, third = steps_of(events, shopper_id)[:3]
    assert (first.own, third.own) == ({}, {})
    assert second.own == {VIEW: [1, *[0] * LEAVE]}


def test_leaving_counts_by_its_share_among_the_steps_of_which_it_is_known() -> None:
    known = [Step(n, 0.0, START, VIEW, {}, (), True, LEAVE if n % 2 else CART) for n in range(1000)]
    late = [Step(n, 0.0, START, VIEW, {}, (), False, CART) for n in range(1000, 3000)]
    counts = count(known + late, "made up")
    assert counts.counts == {"start": {"view": {"cart": 2500, "leave": 2500}}}
    assert counts.sessions == 3000


def made_up_sessions(number: int, random: Random) -> list[UserBehavior]:
    """Sessions in which a product that is viewed three times in a row is bought, mostly."""
    events = []
    for session in range(number):
        product, run = "", 0
        for minute in range(12):
            seen = random.choice(["a", "b", product or "a"])
            run = run + 1 if seen == product else 1
            product = seen
            action = Action.PURCHASE if run >= 3 and random.random() < 0.8 else Action.VIEW
            events.append(event(session * 5 + minute * 0.2, f"s{session}", action, product))
    return events


def test_the_fitted_tilt_finds_what_the_chain_cannot_see() -> None:
    events = made_up_sessions(300, Random(3))
    found = held_out_scores(events, shopper_id, (START_TIME + timedelta(minutes=1000)).timestamp())
    chain, tilted = found[LAST_TWO], found[WITH_SESSION]
    assert chain.actions == tilted.actions > 500
    assert (tilted.purchase_auc or 0) > (chain.purchase_auc or 0) + 0.05
    assert (tilted.action_loss or 0) < (chain.action_loss or 0)


def test_nothing_to_learn_from_and_nothing_to_score_give_no_scores() -> None:
    events = made_up_sessions(3, Random(3))
    assert held_out_scores(events, shopper_id, START_TIME.timestamp()) == {}
    assert held_out_scores(events, shopper_id, START_TIME.timestamp() + 1e6) == {}
    assert held_out_scores([], shopper_id, 0.0) == {}


def test_other_weights_have_a_higher_loss() -> None:
    """The penalized loss is computed with the serving code."""
    steps = [s for s in steps_of(made_up_sessions(40, Random(5)), shopper_id) if s.outcome != LEAVE]
    chain = NextBehavior(count(steps, ""))
    fitted = fit(chain, steps, "", penalty=3.0)

    def loss(weight: float) -> float:
        weights = dict(fitted.weights)
        weights["purchase"] = (*weights["purchase"][:-1], weight)
        tilt = SessionTilt(msgspec.structs.replace(fitted, weights=weights), OUTCOMES[:LEAVE])
        found = score(NextBehavior(count(steps, ""), tilt=tilt), steps).action_loss
        assert found is not None
        return found * len(steps) + 1.5 * weight**2

    best = fitted.weights["purchase"][-1]
    assert loss(best) < min(loss(best - 0.05), loss(best + 0.05))


def test_steps_without_features_or_actions_give_no_weights() -> None:
    chain = shipped_next_behavior()
    assert fit(chain, [], "").weights == {}
    assert fit(chain, [Step(0, 0.0, START, VIEW, {}, (), True)], "").weights == {}


def test_actions_that_the_data_lacks_borrow_their_weights() -> None:
    steps = steps_of(made_up_sessions(20, Random(1)), shopper_id)
    weights = fit(NextBehavior(count(steps, "")), steps, "").weights
    assert weights["click"] == weights["view"]
    assert "cart" not in weights
    assert {len(each) for each in weights.values()} == {len(FEATURES)}


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_equals_that_of_scikit_learn(cases: list[tuple[int, bool]]) -> None:
    scores, truth = np.array([each[0] for each in cases], float), np.array([each[1] for each in cases])
    if truth.all() or not truth.any():
        assert auc(scores, truth) is None
    else:
        assert auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))


def test_the_command_writes_the_same_files_again(tmp_path: Path) -> None:
    table = tmp_path / "data" / TABLE
    table.parent.mkdir(parents=True)
    lines = ["event_time,event_type,product_id,user_id,user_session"]
    lines += [
        f"{each.occurred_at:%Y-%m-%d %H:%M:%S} UTC,{each.action.value},{each.product_id},1,{each.session_id}"
        for each in made_up_sessions(60, Random(2))
    ]
    with gzip.open(table, "wt") as file:
        file.write("\n".join(lines))
    names = (SHIPPED.name, SHIPPED_TILT.name, "next_behavior.md")
    written = []
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        arguments = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / run)]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert "AUC of purchase" in result.output
        written.append([(tmp_path / run / name).read_bytes() for name in names])
    assert written[0] == written[1]
    NextBehavior.load(
        tmp_path / "one" / SHIPPED.name,
        SessionTilt.load(OUTCOMES[:LEAVE], tmp_path / "one" / SHIPPED_TILT.name),
    )


def test_the_page_of_models_has_the_figures_of_the_card() -> None:
    card = SHIPPED.with_suffix(".md").read_text("utf-8")
    page = (Path(__file__).resolve().parents[4] / "docs" / "models" / "index.md").read_text("utf-8")
    lines = [line for line in card.splitlines() if line.startswith("|")]
    assert len(lines) == 10
    assert all(line in page.splitlines() for line in lines)
