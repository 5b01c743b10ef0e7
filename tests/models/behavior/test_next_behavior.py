"""Next actions: probabilities from the counts of all shoppers and the shopper's own counts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from models.training.behavior.next_behavior import count, log_loss
from schemas.errors import StopWorker
from schemas.events import Action

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


def test_training_counts_each_step_and_its_model_is_less_log_lossd() -> None:
    steady = [[(START, VIEW, VIEW), (VIEW, VIEW, CART), (VIEW, CART, LEAVE)]] * 20
    counts = count(steady, "made up")
    assert counts.counts["view"] == {"view": {"cart": 20}, "cart": {"leave": 20}}
    assert counts.counts["start"] == {"view": {"view": 20}}
    assert log_loss(NextBehavior(counts), steady) < log_loss(shipped_next_behavior(), steady)


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


def test_the_shipped_counts_name_their_command() -> None:
    assert SHIPPED.stat().st_size < 10_000
    assert "models.training.behavior.next_behavior" in SHIPPED.read_text()
