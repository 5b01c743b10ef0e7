"""Recall of related products, and the baselines, equal to their definitions."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.evaluation.affinity import evaluate_affinity, item_recall
from models.behavior.evaluation.baskets import Basket, baskets
from models.behavior.evaluation.learning import split_at
from models.behavior.evaluation.pair_counts import at_most, decayed, popular, top_together
from models.behavior.parameters import BehaviorParameters
from schemas.events import Action, Relation, UserBehavior

DAY = 86_400.0
START = datetime(2024, 1, 1, tzinfo=UTC)

some_baskets = st.lists(
    st.builds(
        lambda time, products: Basket(time * DAY, "u", tuple(products), True),
        st.integers(0, 90),
        st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True),
    ),
    max_size=12,
)


def purchase(product: str, minute: float, user: str | None = "u", session: str | None = "s") -> UserBehavior:
    return UserBehavior(
        occurred_at=START + timedelta(minutes=minute),
        product_id=product,
        action=Action.PURCHASE,
        user_id=user,
        session_id=session,
    )


@given(some_baskets)
def test_the_lists_are_the_products_that_were_most_often_together(given_baskets: list[Basket]) -> None:
    weightings = [lambda _: 1.0, at_most(3), decayed(90 * DAY, 30.0)]
    for weighting, lists in zip(weightings, top_together(given_baskets, weightings, 3), strict=True):
        weights: dict[str, Counter[str]] = {}
        for basket in given_baskets:
            for one, other in permutations(basket.products, 2):
                if weighting(basket):
                    weights.setdefault(one, Counter())[other] += weighting(basket)  # type: ignore[assignment]
        assert lists.keys() == weights.keys()
        for product, expected in weights.items():
            # Sums of other orders may differ by rounding: the weights are compared, not the order of ties.
            best = sorted(expected.values(), reverse=True)[:3]
            assert [expected[other] for other in lists[product]] == pytest.approx(best)


def test_equal_counts_are_in_order_of_the_ids() -> None:
    (lists,) = top_together([Basket(0.0, "u", ("c", "b", "a", "d"), True)], [lambda _: 1.0], 2)
    assert lists["d"] == ["a", "b"]


def test_no_baskets_give_no_lists() -> None:
    assert top_together([], [lambda _: 1.0], 5) == [{}]
    assert popular([], lambda _: 1.0, 5) == []


def test_large_sums_of_pairs_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [Basket(0.0, "u", tuple("abcdefgh"[start : start + 4]), True) for start in (0, 1, 2, 3, 4) * 3]
    whole = top_together(many, [lambda _: 1.0], 5)
    monkeypatch.setattr("models.behavior.evaluation.pair_counts._PAIRS_AT_ONCE", 7)
    assert top_together(many, [lambda _: 1.0], 5) == whole


def test_baskets_are_sessions_of_one_shopper_and_shop() -> None:
    events = [
        purchase("a", 0),
        purchase("b", 1),
        purchase("a", 500),
        purchase("c", 2, user="v"),
        purchase("d", 3, user=None, session="s"),
        purchase("e", 0, session=None),
        purchase("f", 20, session=None),
        purchase("g", 60, session=None),
    ]
    found = baskets(events, Relation.BOUGHT, 1800.0)
    assert [each.products for each in found] == [("a", "b"), ("c",), ("d",), ("e", "f"), ("g",)]
    assert [each.known for each in found] == [True, True, False, True, True]
    assert baskets(events, Relation.VIEWED, 1800.0) == []


def test_recall_is_the_share_of_the_other_products_by_number_of_baskets() -> None:
    scored = [Basket(0.0, "u", ("a", "b", "c"), True)]
    lists = {"a": ["a", "b", "c"], "b": ["c", "x"], "c": []}
    values = item_recall(scored, lists.__getitem__, {"a": 10, "b": 9})
    assert values == pytest.approx(((1.0 + 0.5 + 0.0) / 3, 1.0, 0.5, 0.0))


def test_what_is_not_scored_has_no_figure() -> None:
    assert item_recall([], lambda _: [], {}) == (None, None, None, None)


def test_what_was_bought_together_before_is_found_after() -> None:
    """Two disjoint kinds of baskets: popularity mixes them, the published rows do not."""
    kinds = ["abc", "def"]
    events = [
        purchase(product, 1440.0 * day + place, f"u{day}", f"s{day}")
        for day in range(10)
        for place, product in enumerate(kinds[day % 2])
    ]
    split = split_at(events, START.timestamp() + 6 * DAY)
    scores = evaluate_affinity(split, Relation.BOUGHT, BehaviorParameters(), lambda *_: None)
    by_name = {row.name: row.values for row in scores.rows}
    assert by_name["published, bought"][0] == 1.0
    assert by_name["counts, all baskets"][0] == 1.0
    assert scores.notes[0].startswith("Learned from 6 baskets")


def test_events_are_split_by_time_and_keep_their_order() -> None:
    events = [purchase("b", 5), purchase("a", 1), purchase("c", 5), purchase("d", 9)]
    split = split_at(events, START.timestamp() + 5 * 60, START.timestamp() + 9 * 60)
    assert [event.product_id for event in split.learned] == ["a"]
    assert [event.product_id for event in split.scored] == ["b", "c"]
