"""The blended list equals the sum of its definition, and its inputs equal those of a dictionary."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.popular_products import PopularProducts
from models.behavior.recommended import BORROWED_WEIGHT, POPULAR_WEIGHT, RELATION_WEIGHT, recommend
from models.behavior.related_lists import RELATIONS, RelatedList, RelatedLists

NAMES = "abcdef"
DAY = 86_400.0
HALF_LIFE_S = 75 * DAY
scored = st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0.01, 100.0)), max_size=8)
lists = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        lambda day, related: RelatedList(day * DAY, {k: list(v.items()) for k, v in related.items()}),
        st.integers(0, 200),
        st.dictionaries(
            st.sampled_from(RELATIONS),
            st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9).map(float), max_size=4),
        ),
    ),
)


@given(scored, scored, scored)
def test_a_score_is_the_weighted_sum(
    own: list[tuple[str, float]], borrowed: list[tuple[str, float]], popular: list[tuple[str, float]]
) -> None:
    expected = dict.fromkeys(NAMES, 0.0)
    for weight, products in ((1.0, own), (BORROWED_WEIGHT, borrowed), (POPULAR_WEIGHT, popular)):
        for name, score in products:
            expected[name] += weight * score
    found = recommend("a", own, borrowed, popular, 3, lambda name: name != "b")
    allowed = {name: score for name, score in expected.items() if score and name not in "ab"}
    assert [each.score for each in found] == pytest.approx(sorted(allowed.values(), reverse=True)[:3], 1e-5)
    assert {each.product_id: each.score for each in found} == pytest.approx(
        {each.product_id: allowed[each.product_id] for each in found}, 1e-5
    )


def test_ties_are_by_id_and_do_not_depend_on_rounding() -> None:
    found = recommend("x", [("b", 0.1 + 0.2), ("a", 0.3)], [], [], 5)
    assert [each.product_id for each in found] == ["a", "b"]


@given(lists, st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0.1, 1.0)), max_size=4), st.sets(
    st.sampled_from(NAMES), max_size=2
), st.integers(0, 200))  # fmt: skip
def test_lists_are_added_up_without_withdrawn_products(
    stored: dict[str, RelatedList], weights: list[tuple[str, float]], withdrawn: set[str], day: int
) -> None:
    known = RelatedLists(bound=len(NAMES))
    for name, listed in stored.items():
        known.put(name, listed)
    for name in withdrawn:
        known.withdraw(name)
    expected: dict[str, float] = {}
    for name, weight in weights:
        if name not in stored or name in withdrawn:
            continue
        decay = 2.0 ** min(0.0, (stored[name].as_of - day * DAY) / HALF_LIFE_S)
        for relation, related in stored[name].related.items():
            for other, score in related:
                if other not in withdrawn:
                    gain = weight * decay * RELATION_WEIGHT[relation] * score
                    expected[other] = expected.get(other, 0.0) + gain
    found = known.mixed(weights, RELATION_WEIGHT, day * DAY, HALF_LIFE_S, 3)
    best = sorted(expected.values(), reverse=True)[:3]
    assert [score for _, score in found] == pytest.approx(best, 1e-5)
    assert dict(found) == pytest.approx({name: expected[name] for name, _ in found}, 1e-5)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 9), st.integers(0, 200)), max_size=20))
def test_the_popular_products_are_those_of_the_most_decayed_sessions(
    numbers: list[tuple[str, int, int]],
) -> None:
    popular = PopularProducts(len(NAMES), HALF_LIFE_S)
    last: dict[str, tuple[int, int]] = {}
    for name, sessions, day in numbers:
        popular.put(name, float(sessions), day * DAY)
        last[name] = (sessions, day)
    found = list(popular.best(200 * DAY))
    expected = {
        name: sessions * 2.0 ** ((day - 200) / 75) for name, (sessions, day) in last.items() if sessions
    }
    assert dict(found) == pytest.approx(expected)
    assert [score for _, score in found] == pytest.approx(sorted(expected.values(), reverse=True))


def test_popular_products_take_bounded_memory_and_wild_times_do_no_harm() -> None:
    popular = PopularProducts(2, HALF_LIFE_S)
    for number in range(1000):
        popular.put(f"p{number}", float(number), 0.0)
    assert [name for name, _ in popular.best(0.0)] == ["p999", "p998"]
    assert len(popular._sessions) <= 16
    popular.put("late", 5.0, 1e12)
    assert dict(popular.best(0.0))["late"] == pytest.approx(5.0)
    assert all(score < inf for _, score in popular.best(0.0))
    popular.remove("late")
    assert "late" not in dict(popular.best(0.0))
