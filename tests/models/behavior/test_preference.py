"""Product weights decay and stay above zero, and scores sum to at most one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import ACTION_WEIGHT, ProductWeights, add_action, preferences
from models.behavior.taste_mean import ProductLabels, TasteMean
from schemas.events import Action, Preference

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
    # The square roots of the weights are as 1 to the root of 2; product a is 10 days old: half its weight.
    a, b = 1.0, 2.0**0.5
    assert [(tag.name, round(tag.score, 6)) for tag in tags] == [
        ("x", round((a / 2 + b) / (a + b), 6)),
        ("y", round(a / 2 / (a + b), 6)),
    ]
    # The product without a category says nothing of categories.
    assert [(category.name, category.score) for category in categories] == [("C", 1.0)]
    assert [category.lift for category in categories] == [None]


def mean(**categories: float) -> TasteMean:
    return TasteMean({}, dict(sorted(categories.items(), key=lambda item: -item[1])))


def categories_of(
    weights: ProductWeights, shop: TasteMean, prior: float = 10.0, top: int = 3
) -> list[Preference]:
    """The preferred categories, where each product is a category of its own."""
    chosen = BehaviorParameters(preference_prior=prior, preference_top=top)
    return preferences(weights, lambda name: ProductLabels([], name), chosen, shop)[1]


def test_scores_are_shrunk_towards_the_shop_and_have_a_lift() -> None:
    """Four views of one product weigh 2; the shop's mean weighs as 10 products do."""
    weights = weights_after(*[("b", Action.VIEW, 0)] * 4)
    found = categories_of(weights, mean(a=0.75, b=0.25))
    assert [(each.name, round(each.score, 6), each.lift) for each in found] == [
        ("a", 7.5 / 12, 0.833),
        ("b", 4.5 / 12, 1.5),
    ]
    weak = categories_of(weights, mean(a=0.75, b=0.25), prior=1.0)
    assert [each.name for each in weak] == ["b", "a"]


def test_a_shopper_of_unknown_products_does_not_get_the_taste_of_the_shop() -> None:
    shop = mean(a=1.0)
    weights = weights_after(("x", Action.VIEW, 0))
    assert preferences(weights, lambda _: None, PARAMETERS, shop) == ([], [])
    assert preferences(weights, lambda _: ProductLabels([], None), PARAMETERS, shop) == ([], [])


def test_a_name_that_the_mean_does_not_have_has_no_lift() -> None:
    found = categories_of(weights_after(("new", Action.PURCHASE, 0)), mean(a=1.0))
    assert {each.name: each.lift for each in found} == {"a": pytest.approx(0.817), "new": None}


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 50)),
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 50), min_size=1),
    st.integers(1, 8),
)
def test_the_list_is_the_best_of_all_names(counts: dict[str, int], shop: dict[str, int], top: int) -> None:
    """The oracle scores every name of the shopper and of the shop."""
    weights: ProductWeights = {name: (float(count), 0.0) for name, count in counts.items()}
    total = sum(shop.values())
    proportions = {name: count / total for name, count in shop.items()}
    found = categories_of(weights, mean(**proportions), top=top)
    assert sum(each.score for each in found) <= 1.0
    if not counts:
        assert found == []
        return
    own = {name: count**0.5 for name, count in counts.items()}
    scores = {
        name: (own.get(name, 0.0) + 10 * proportions.get(name, 0.0)) / (sum(own.values()) + 10)
        for name in {*own, *proportions}
    }
    best = sorted(scores, key=lambda name: (-scores[name], name))[:top]
    assert [each.score for each in found] == [pytest.approx(scores[name], abs=2e-9) for name in best]


def test_unknown_products_give_no_preferences() -> None:
    assert preferences(weights_after(("a", Action.VIEW, 0)), lambda _: None, PARAMETERS) == ([], [])
    assert preferences({}, lambda _: None, PARAMETERS) == ([], [])
