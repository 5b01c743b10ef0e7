"""Next actions: probabilities from the counts of all shoppers and the shopper's own counts."""

from datetime import UTC, datetime, timedelta
from math import exp, log1p
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.deltas import DeltaBuilder
from models.behavior.next_behavior import (
    ACTIONS,
    LEAVE,
    OUTCOMES,
    SHIPPED,
    START,
    NextBehavior,
    TransitionCounts,
    shipped_next_behavior,
)
from models.behavior.parameters import BehaviorParameters
from models.behavior.session_features import FEATURES, session_features
from models.behavior.session_tilt import SHIPPED_TILT, FittedTilt, SessionTilt
from models.behavior.sessions import apply_events
from models.behavior.shopper_row import OpenSession, ShopperRow
from schemas.errors import StopWorker
from schemas.events import Action, UserBehavior

VIEW, CART = ACTIONS.index(Action.VIEW), ACTIONS.index(Action.CART)
codes = st.integers(0, START)
rows = st.lists(st.integers(0, 10**6), min_size=len(OUTCOMES), max_size=len(OUTCOMES))


def test_stored_codes_keep_their_meaning() -> None:
    """Codes are in the rows of shoppers: an action of the contract that is added later gets none."""
    assert OUTCOMES == ("view", "click", "cart", "favourite", "purchase", "return", "leave")
    assert (LEAVE, START) == (6, 7)


@given(codes, codes, st.dictionaries(codes, rows, max_size=4))
def test_probabilities_of_all_outcomes_are_above_zero_and_sum_to_one(
    previous: int, last: int, own: dict[int, list[int]]
) -> None:
    found = shipped_next_behavior().probabilities(previous, last, own)
    assert tuple(found) == OUTCOMES
    assert all(0.0 < value <= 1.0 for value in found.values())
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-12)


def test_the_smoothing_follows_the_formula() -> None:
    """The expected probability of one context is computed by hand."""
    counts = TransitionCounts(
        version=1, description="", sessions=1, counts={"view": {"view": {"cart": 3, "leave": 1}}}
    )
    model = NextBehavior(counts, order_strength=4.0, shopper_strength=2.0)
    base = (3 + 1) / (4 + 7)
    first = (3 + 4 * base) / 8
    second = (3 + 4 * first) / 8
    shared = 0.99 * second + 0.01 / 7
    assert model.probabilities(VIEW, VIEW)["cart"] == pytest.approx(shared)
    own = [0] * len(OUTCOMES)
    own[CART], own[LEAVE] = 1, 5
    assert model.probabilities(VIEW, VIEW, {VIEW: own})["cart"] == pytest.approx((1 + 2 * shared) / 8)


def test_many_own_counts_outweigh_those_of_other_shoppers() -> None:
    own = [0] * len(OUTCOMES)
    model = shipped_next_behavior()
    before = model.probabilities(START, VIEW)["purchase"]
    own[ACTIONS.index(Action.PURCHASE)] = 1000
    assert before < 0.1 < 0.95 < model.probabilities(START, VIEW, {VIEW: own})["purchase"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "no transition counts"),
        (b'{"version":2,"description":"","sessions":0,"counts":{}}', "version 2"),
        (b'{"version":1,"description":"","sessions":0,"counts":{"view":{"view":{"dance":1}}}}', "dance"),
    ],
)
def test_unusable_counts_stop_the_worker(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "counts.json"
    path.write_bytes(content)
    with pytest.raises(StopWorker, match=says):
        NextBehavior.load(path)


def test_missing_counts_stop_the_worker(tmp_path: Path) -> None:
    with pytest.raises(StopWorker, match="no transition counts"):
        NextBehavior.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize("path", [SHIPPED, SHIPPED_TILT, SHIPPED.with_suffix(".md")])
def test_the_shipped_files_name_their_command(path: Path) -> None:
    assert path.stat().st_size < 10_000
    assert "models.training.behavior.next_behavior" in path.read_text()


def fitted(**changes: Any) -> FittedTilt:
    """A tilt whose only weight makes a purchase likelier after a run of the same product."""
    size = len(FEATURES)
    weights = {"purchase": (0.0,) * (size - 1) + (2.0,)}
    tilt = FittedTilt(
        version=1,
        description="",
        features=FEATURES,
        mean=(1.0,) * size,
        scale=(2.0,) * size,
        largest=(5.0,) * size,
        bias={"purchase": 0.5},
        weights=weights,
    )
    return msgspec.structs.replace(tilt, **changes)


features_of_sessions = st.lists(st.floats(0.0, 20.0), min_size=len(FEATURES), max_size=len(FEATURES))


@given(codes, codes, features_of_sessions)
def test_the_tilt_follows_its_formula_and_leaves_leaving_alone(
    previous: int, last: int, features: list[float]
) -> None:
    chain = shipped_next_behavior().probabilities(previous, last)
    model = NextBehavior.load(tilt=SessionTilt(fitted(), OUTCOMES[:LEAVE]))
    found = model.probabilities(previous, last, None, features)
    odds = exp(0.5 + 2.0 * (min(features[-1], 5.0) - 1.0) / 2.0)
    expected = {name: value * (odds if name == "purchase" else 1.0) for name, value in chain.items()}
    stays = sum(value for name, value in expected.items() if name != "leave")
    assert found["leave"] == pytest.approx(chain["leave"])
    for name in OUTCOMES[:LEAVE]:
        assert found[name] == pytest.approx(expected[name] / stays * (1 - chain["leave"]))


@given(codes, codes, features_of_sessions)
def test_the_shipped_tilt_gives_probabilities(previous: int, last: int, features: list[float]) -> None:
    found = shipped_next_behavior().probabilities(previous, last, None, features)
    assert tuple(found) == OUTCOMES
    assert all(0.0 < value <= 1.0 for value in found.values())
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": ("events",)}, "features of this release"),
        ({"mean": (0.0,)}, "features of this release"),
        ({"scale": (0.0,) * len(FEATURES)}, "features of this release"),
        ({"bias": {"dance": 1.0}}, "dance"),
    ],
)
def test_an_unusable_tilt_stops_the_worker(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(StopWorker, match=says):
        SessionTilt(fitted(**changes), OUTCOMES[:LEAVE])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "no session tilt"),
        (msgspec.json.encode(fitted(version=2)), "version 2"),
    ],
)
def test_an_unreadable_tilt_stops_the_worker(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "tilt.json"
    path.write_bytes(content)
    with pytest.raises(StopWorker, match=says):
        SessionTilt.load(OUTCOMES[:LEAVE], path)


def session_after(*actions: tuple[Action, str]) -> OpenSession:
    """A session of events a minute apart."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    events = [
        UserBehavior(
            occurred_at=start + timedelta(minutes=minute), action=action, product_id=product, user_id="u"
        )
        for minute, (action, product) in enumerate(actions)
    ]
    current = apply_events(ShopperRow(), events, DeltaBuilder(), BehaviorParameters()).current_session()
    assert current is not None
    return current


def test_features_count_what_happened_in_the_session() -> None:
    session = session_after(
        (Action.VIEW, "a"), (Action.VIEW, "b"), (Action.CART, "b"), (Action.VIEW, "b"), (Action.CART, "c"),
        (Action.PURCHASE, "b"), (Action.VIEW, "d"), (Action.VIEW, "d"), (Action.VIEW, "d"),
    )  # fmt: skip
    found = dict(zip(FEATURES, session_features(session) or (), strict=True))
    assert found == {
        "events": log1p(9),
        "viewed": log1p(3),
        "carted": log1p(2),
        "bought": log1p(1),
        "open_carts": log1p(1),
        "repeats": log1p(3),
        "repeat_share": 3 / 9,
        "duration": log1p(480.0),
        "run": log1p(2),
    }


def test_a_session_of_an_earlier_release_is_left_to_the_chain() -> None:
    model, session = shipped_next_behavior(), session_after((Action.VIEW, "a"), (Action.VIEW, "a"))
    chain = model.probabilities(session.previous, session.last)
    assert model.in_session(session) != chain
    earlier = msgspec.convert(msgspec.to_builtins(session)[:11], OpenSession)
    assert (earlier.run, earlier.first) == (0, session.first)
    assert model.in_session(earlier) == chain
