"""Tastes decay, never go below nothing, and sum to at most one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import ACTION_WEIGHT, Description, Tastes, preferences, remember
from schemas.events import Action

DAY = 86400.0
PARAMETERS = BehaviorParameters(preference_half_life_days=10.0, preference_products=5, preference_top=3)
steps = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(Action), st.integers(0, 100)), max_size=40
)


def tasted(*events: tuple[str, Action, float]) -> Tastes:
    tastes: Tastes = {}
    for product, action, day in events:
        remember(tastes, product, action, day * DAY, PARAMETERS)
    return tastes


@given(steps)
def test_scores_sum_to_at_most_one_and_rows_stay_bounded(events: list[tuple[str, Action, int]]) -> None:
    tastes = tasted(*events)
    assert len(tastes) <= 5
    assert all(weight > 0 for weight, _ in tastes.values())
    known = {"a": Description(["red", "mug", "red"], "Home"), "b": Description([], None), "c": None}
    tags, categories = preferences(
        tastes, lambda name: known.get(name, Description([name], name)), PARAMETERS
    )
    for found in (tags, categories):
        assert len(found) <= 3
        assert sum(preference.score for preference in found) <= 1.0
        assert [preference.score for preference in found] == sorted(
            (preference.score for preference in found), reverse=True
        )


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["view", "cart", "purchase"]), st.integers(0, 99))
    )
)
def test_weights_are_the_decayed_sums_in_any_order(events: list[tuple[str, str, int]]) -> None:
    tastes = tasted(*((name, Action(action), day) for name, action, day in events))
    for product, (weight, since) in tastes.items():
        expected = sum(
            ACTION_WEIGHT[Action(action)] * 2.0 ** ((day - since / DAY) / 10)
            for name, action, day in events
            if name == product
        )
        assert weight == pytest.approx(expected, rel=1e-9)


def test_a_return_takes_a_purchase_back_but_never_more() -> None:
    assert tasted(("a", Action.PURCHASE, 0), ("a", Action.RETURN, 0)) == {}
    assert tasted(("a", Action.RETURN, 0), ("a", Action.VIEW, 1)) == {"a": (1.0, DAY)}


def test_the_lightest_are_forgotten_when_there_are_too_many() -> None:
    events = [(name, Action.PURCHASE, 0.0) for name in "abcd"]
    tastes = tasted(*events, ("old", Action.PURCHASE, -50), ("new", Action.VIEW, 0))
    assert sorted(tastes) == ["a", "b", "c", "d"]


def test_a_product_shares_its_weight_among_its_tags() -> None:
    tastes = tasted(("a", Action.PURCHASE, 0), ("b", Action.PURCHASE, 10))
    tags, categories = preferences(
        tastes,
        lambda name: Description(["x", "y"], "C") if name == "a" else Description(["x"], None),
        PARAMETERS,
    )
    assert [(tag.name, round(tag.score, 6)) for tag in tags] == [("x", 0.833333), ("y", 0.166667)]
    assert [(category.name, round(category.score, 6)) for category in categories] == [("C", 0.333333)]


def test_nobody_knows_anything_of_the_products() -> None:
    assert preferences(tasted(("a", Action.VIEW, 0)), lambda _: None, PARAMETERS) == ([], [])
    assert preferences({}, lambda _: None, PARAMETERS) == ([], [])
