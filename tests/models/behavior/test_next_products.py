"""Next products are voted for by the products of the session, and recent products are a set by time."""

from hypothesis import given
from hypothesis import strategies as st

from models.behavior.next_products import RECENT_PRODUCTS, joined, latest_first, next_products, touch
from models.behavior.related_lists import RelatedList
from schemas.events import Relation

VIEWED = {
    "a": [("b", 3.0), ("c", 1.0)],
    "b": [("a", 3.0)],
}


def viewed(product_id: str) -> RelatedList | None:
    return RelatedList(0.0, {Relation.VIEWED: VIEWED[product_id]}) if product_id in VIEWED else None


def test_products_vote_for_their_related_ones_and_for_themselves() -> None:
    """The product before the last one counts 0.6 of it."""
    found = next_products(["a", "b"], viewed)
    assert [(each.product_id, each.score) for each in found] == [
        ("a", 1.0 + 0.6),
        ("b", 0.75 + 0.6),
        ("c", 0.25),
    ]


def test_a_session_of_unknown_products_tells_nothing() -> None:
    assert next_products(["x", "y"], viewed) == []
    assert next_products([], viewed) == []
    assert [each.product_id for each in next_products(["x", "b"], viewed)] == ["x", "a", "b"]


def test_other_relations_serve_where_nobody_viewed() -> None:
    bought = {Relation.CARTED: [("n", 0.0)], Relation.BOUGHT: [("m", 2.0)]}
    found = next_products(["a"], lambda _: RelatedList(0.0, bought))
    assert [each.product_id for each in found] == ["a", "m"]


def test_there_are_at_most_twenty() -> None:
    wide = RelatedList(0.0, {Relation.VIEWED: [(f"p{number}", 1.0) for number in range(40)]})
    found = next_products(["a"], lambda _: wide)
    assert len(found) == 20
    assert found[0].product_id == "a"


touches = st.lists(st.tuples(st.integers(0, 40).map(str), st.integers(0, 60).map(float)), max_size=80)


@given(touches, st.integers(0, 80))
def test_recent_products_do_not_depend_on_the_order_of_arrival(
    touches: list[tuple[str, float]], cut: int
) -> None:
    """The oracle sorts all products by their latest time. Two parts of a session join to the same."""
    latest: dict[str, float] = {}
    for product, time in touches:
        latest[product] = max(time, latest.get(product, time))
    kept = sorted(latest, key=lambda name: (latest[name], name))[-RECENT_PRODUCTS:]
    expected = sorted(kept, key=lambda name: (-latest[name], name))
    one, first, second = dict[str, float](), dict[str, float](), dict[str, float]()
    for product, time in reversed(touches):
        touch(one, product, time)
    for number, (product, time) in enumerate(touches):
        touch(first if number < cut else second, product, time)
    assert latest_first(one) == expected
    assert latest_first(joined(first, second)) == expected


@given(st.lists(st.sampled_from("abcx"), unique=True))
def test_scores_descend(recent: list[str]) -> None:
    scores = [each.score for each in next_products(recent, viewed)]
    assert scores == sorted(scores, reverse=True)
