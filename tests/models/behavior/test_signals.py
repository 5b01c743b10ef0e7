"""Signals are given and taken as their bounds say, and do not flap."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.category_ranks import CategoryRanks
from models.behavior.signals import BESTSELLER, TRENDING, Partner, SignalCounts, SignalParameters
from schemas.errors import StopWorker

DAY = 86_400.0
PARAMETERS = SignalParameters()
steps = st.lists(st.tuples(st.floats(0, 40), st.integers(0, 40), st.integers(0, 400)), max_size=40)


def sessions(time: float, count: float, bought: float = 0.0) -> SignalCounts:
    return SignalCounts(time, count, count, bought)


def steady(days: range, per_day: float) -> SignalCounts:
    """The numbers of a product with so many sessions on each of these days."""
    counts = SignalCounts()
    for day in days:
        counts = counts.plus(sessions(day * DAY, per_day, per_day), PARAMETERS)
    return counts


def test_a_product_whose_share_rises_is_trending_until_it_falls() -> None:
    everything, before = steady(range(200), 1_000), steady(range(200), 2)
    assert before.tagged(199 * DAY, everything, None, PARAMETERS) is before
    rising = before.plus(steady(range(193, 200), 20), PARAMETERS)
    tagged = rising.tagged(199 * DAY, everything, None, PARAMETERS)
    assert tagged.tags == {TRENDING: 199 * DAY}
    assert tagged.tagged(199 * DAY, everything, None, PARAMETERS) is tagged
    later = steady(range(240), 1_000)
    assert tagged.tagged(239 * DAY, later, None, PARAMETERS).tags == {}


def test_a_busy_season_of_the_whole_shop_makes_nothing_trending() -> None:
    one, everything = steady(range(200), 2), steady(range(200), 1_000)
    one = one.plus(steady(range(186, 200), 20), PARAMETERS)
    everything = everything.plus(steady(range(186, 200), 10_000), PARAMETERS)
    assert one.tagged(199 * DAY, everything, None, PARAMETERS).tags == {}


@pytest.mark.parametrize(
    ("rank", "given", "kept"),
    [(0.0, True, True), (0.04, True, True), (0.06, False, True), (0.1, False, False)],
)
def test_a_bestseller_stays_while_it_is_nearly_one(rank: float, given: bool, kept: bool) -> None:
    counts = steady(range(100), 3)
    assert (BESTSELLER in counts.tagged(99 * DAY, counts, rank, PARAMETERS).tags) is given
    best = msgspec.structs.replace(counts, tags={BESTSELLER: 90 * DAY})
    assert (BESTSELLER in best.tagged(99 * DAY, counts, rank, PARAMETERS).tags) is kept
    assert BESTSELLER in best.tagged(99 * DAY, counts, None, PARAMETERS).tags


@pytest.mark.parametrize(
    ("sessions", "share", "given", "kept"),
    [(10, 0.25, True, True), (9, 0.9, False, True), (90, 0.2, False, True), (4, 0.9, False, False)],
)
def test_partners_have_a_bound_to_come_and_a_lower_one_to_go(
    sessions: float, share: float, given: bool, kept: bool
) -> None:
    counts, partners = steady(range(100), 3), {"x": Partner(sessions, share)}
    tag = "often-bought-with:x"
    assert (tag in counts.tagged(99 * DAY, counts, None, PARAMETERS, partners).tags) is given
    has = msgspec.structs.replace(counts, tags={tag: 90 * DAY})
    assert (tag in has.tagged(99 * DAY, counts, None, PARAMETERS, partners).tags) is kept
    assert tag in has.tagged(99 * DAY, counts, None, PARAMETERS).tags
    assert tag not in has.tagged(99 * DAY, counts, None, PARAMETERS, {}).tags


@given(steps)
def test_a_tag_is_given_above_its_bound_and_taken_below_the_lower_one_after_its_minimum(
    visits: list[tuple[float, int, int]],
) -> None:
    """For any history: what the numbers say at each change is on the right side of the right bound."""
    now, one, everything = 0.0, SignalCounts(), SignalCounts()
    for gap, here, elsewhere in visits:
        now += gap * DAY
        one = one.plus(sessions(now, here), PARAMETERS)
        everything = everything.plus(sessions(now, here + elsewhere), PARAMETERS)
        before, one = one.tags, one.tagged(now, everything, None, PARAMETERS).decayed_to(now, PARAMETERS)
        expected = (one.slow / everything.slow if everything.slow else 0.0) * everything.fast

        def reaches(bound: int, share: float = expected, counts: SignalCounts = one) -> bool:
            return counts.fast >= PARAMETERS.recent[bound] and counts.fast >= (
                PARAMETERS.trend[bound] * share * (1 - 1e-9)
            )

        if TRENDING in one.tags and TRENDING not in before:
            assert reaches(0)
            assert one.tags[TRENDING] == now
        if TRENDING in before and TRENDING not in one.tags:
            assert now - before[TRENDING] >= PARAMETERS.stay_days * DAY
            assert not reaches(1, expected * (1 + 2e-9))
        if TRENDING in before and TRENDING in one.tags:
            assert one.tags[TRENDING] == before[TRENDING]


@given(st.floats(8, 12), st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=30))
def test_numbers_near_a_bound_change_a_tag_once_at_most(base: float, noise: list[float]) -> None:
    everything, changes = SignalCounts(0.0, 0.1, 1_000.0), 0
    tags: dict[str, float] = {}
    for at, each in enumerate(noise):
        row = SignalCounts(at * DAY, base + each, base + each, 0.0, tags)
        after = row.tagged(at * DAY, everything, None, PARAMETERS).tags
        changes += set(after) != set(tags)
        tags = after
    assert changes <= 1


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 50), st.floats(0, 50)), max_size=8), st.randoms())
def test_the_order_of_arrival_does_not_matter(
    parts: list[tuple[float, float, float]], random: Random
) -> None:
    def total(some: list[tuple[float, float, float]]) -> SignalCounts:
        counts = SignalCounts()
        for time, count, bought in some:
            counts = counts.plus(sessions(time, count, bought), PARAMETERS)
        return counts

    shuffled = sorted(parts, key=lambda _: random.random())
    one, other = total(parts), total(shuffled)
    assert one.time == other.time
    assert (one.fast, one.slow, one.bought) == pytest.approx((other.fast, other.slow, other.bought))


def test_rows_are_read_as_they_were_written() -> None:
    row = SignalCounts(5.0, 1.0, 2.0, 3.0, {TRENDING: 4.0})
    assert SignalCounts.from_bytes(row.to_bytes()) == row
    for broken in (b"", b"\x02\x90", row.to_bytes()[:-2]):
        with pytest.raises(StopWorker):
            SignalCounts.from_bytes(broken)


changes = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y", None]), st.none() | st.integers(0, 5)),
    max_size=30,
)


@given(changes, st.sampled_from([1, 3, 20]))
def test_ranks_are_those_of_a_sorted_list(puts: list[tuple[str, str | None, int | None]], least: int) -> None:
    ranks, known = CategoryRanks(least), dict[str, tuple[str, int]]()
    for product, category, number in puts:
        ranks.put(product, category, number)
        known.pop(product, None)
        if category is not None and number is not None:
            known[product] = category, number
    for product in "abcdef":
        expected = None
        if product in known:
            category, number = known[product]
            others = [each for kind, each in known.values() if kind == category]
            expected = sum(each > number for each in others) / max(len(others), least)
        assert ranks.rank(product) == expected
