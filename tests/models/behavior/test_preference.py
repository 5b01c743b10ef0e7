"""Product weights decay and stay above zero, and scores sum to at most one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import ACTION_WEIGHT, ProductLabels, ProductWeights, add_action, preferences
from schemas.events import Action

DAY = 86400.0
PARAMETERS = BehaviorParameters(preference_half_life_days=10.0, preference_products=5, preference_top=3)
steps = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(Action), st.integers(0, 100)), max_size=40
)


def weights_after(*events: tuple[str, Action, float]) -> ProductWeights:
    weights: ProductWeights = {}
    for product, action, day in events:
        add_action(weights, product, action, day * DAY, PARAMETERS)
    return weights


@given(steps)
def test_scores_sum_to_at_most_one_and_rows_stay_bounded(events: list[tuple[str, Action, int]]) -> None:
    weights = weights_after(*events)
    assert len(weights) <= 5
    assert all(weight > 0 for weight, _ in weights.values())
    known = {"a": ProductLabels(["red", "mug", "red"], "Home"), "b": ProductLabels([], None), "c": None}
    tags, categories = preferences(
        weights, lambda name: known.get(name, ProductLabels([name], name)), PARAMETERS
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
    weights = weights_after(*((name, Action(action), day) for name, action, day in events))
    for product, (weight, since) in weights.items():
        expected = sum(
            ACTION_WEIGHT[Action(action)] * 2.0 ** ((day - since / DAY) / 10)
            for name, action, day in events
            if name == product
        )
        assert weight == pytest.approx(expected, rel=1e-9)


def test_a_return_cancels_a_purchase_and_no_more() -> None:
    assert weights_after(("a", Action.PURCHASE, 0), ("a", Action.RETURN, 0)) == {}
    assert weights_after(("a", Action.RETURN, 0), ("a", Action.VIEW, 1)) == {"a": (1.0, DAY)}


def test_a_removal_from_the_cart_takes_back_the_cart_and_no_more() -> None:
    assert weights_after(("a", Action.CART, 0), ("a", Action.REMOVE_FROM_CART, 0)) == {}
    assert weights_after(("a", Action.VIEW, 0), ("a", Action.CART, 0), ("a", Action.REMOVE_FROM_CART, 0)) == {
        "a": (1.0, 0.0)
    }


@pytest.mark.parametrize("action", [Action.IMPRESSION, Action.SEARCH, Action.IDENTIFY])
def test_what_is_shown_or_searched_changes_no_taste(action: Action) -> None:
    assert weights_after(("a", Action.VIEW, 0), ("a", action, 1), ("b", action, 1)) == {"a": (1.0, 0.0)}


def test_the_smallest_weights_are_dropped_above_the_bound() -> None:
    events = [(name, Action.PURCHASE, 0.0) for name in "abcd"]
    weights = weights_after(*events, ("old", Action.PURCHASE, -50), ("new", Action.VIEW, 0))
    assert sorted(weights) == ["a", "b", "c", "d"]


def test_the_weight_of_a_product_is_divided_among_its_tags() -> None:
    weights = weights_after(("a", Action.PURCHASE, 0), ("b", Action.PURCHASE, 10))
    tags, categories = preferences(
        weights,
        lambda name: ProductLabels(["x", "y"], "C") if name == "a" else ProductLabels(["x"], None),
        PARAMETERS,
    )
    assert [(tag.name, round(tag.score, 6)) for tag in tags] == [("x", 0.833333), ("y", 0.166667)]
    assert [(category.name, round(category.score, 6)) for category in categories] == [("C", 0.333333)]


def test_unknown_products_give_no_preferences() -> None:
    assert preferences(weights_after(("a", Action.VIEW, 0)), lambda _: None, PARAMETERS) == ([], [])
    assert preferences({}, lambda _: None, PARAMETERS) == ([], [])
