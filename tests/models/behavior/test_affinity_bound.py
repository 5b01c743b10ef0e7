"""Bounded rows: any batches give the same row, and no score is wrong by more than the row's error."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.affinity_row import AffinityRow, merge_rows
from models.behavior.deltas import RELATIONS, REMOVAL, Deltas
from models.behavior.neighbors import RankedNeighbor
from models.behavior.parameters import BehaviorParameters
from models.behavior.row_codec import from_short_floats, short_floats
from schemas.errors import StopWorker
from schemas.events import Relation
from tests.support.behavior import session_with

DAY = 86_400.0
NAMES = ["a", "b", "d", *(f"n{number}" for number in range(20))]
"""Three products, and the neighbors that only occur as such."""

Step = tuple[int, int, int, float, float, int]
"""Product, neighbor, code, day, weight, support."""

_sessions = st.tuples(
    st.integers(0, 2),
    st.integers(3, len(NAMES) - 1),
    st.integers(0, REMOVAL - 1),
    st.integers(0, 400).map(float),
    st.sampled_from([1.0, 0.3, 1 / 3, 0.017]),
    st.just(1),
)
_own = st.tuples(st.integers(0, 2), st.integers(0, 2), st.just(2), st.just(5.0), st.just(0.7), st.just(1))
_awkward = st.tuples(
    st.integers(0, 2),
    st.integers(3, len(NAMES) - 1),
    st.integers(0, REMOVAL),
    st.integers(0, 400).map(float),
    st.sampled_from([-1.0, -0.3, 0.3]),
    st.sampled_from([0, -1]),
)
steps = st.lists(st.one_of(_sessions, _sessions, _own, _awkward), min_size=1, max_size=80)


def deltas(some: Iterable[Step]) -> Deltas:
    """Deltas in this order."""
    product, neighbor, code, day, weight, support = zip(*some, strict=True)
    return Deltas(
        NAMES,
        np.array(product, dtype=np.uint32),
        np.array(
            [own if own < 3 else other for own, other in zip(neighbor, neighbor, strict=True)], np.uint32
        ),
        np.array(code, dtype=np.uint8),
        np.array(day) * DAY,
        np.array(weight),
        np.array(support, dtype=np.int32),
    )


def content(rows: dict[str, AffinityRow]) -> object:
    """Everything that rows hold, bit by bit, but for the order of their columns."""
    return {
        name: (
            row.as_of,
            [
                (
                    sorted(zip(table.names(), table.weight.tolist(), table.support.tolist(), strict=True)),
                    table.landmark,
                    table.error,
                    table.own_weight,
                    table.own_support,
                )
                for table in row._tables
            ],
        )
        for name, row in rows.items()
    }


def merged(batches: Iterable[Sequence[Step]], parameters: BehaviorParameters) -> dict[str, AffinityRow]:
    """Rows after the batches, which are stored and read between them."""
    rows: dict[str, AffinityRow] = {}
    for batch in batches:
        for name, row in merge_rows(rows, deltas(batch), parameters).items():
            rows[name] = AffinityRow.from_bytes(row.to_bytes())
    return rows


@given(steps, st.sets(st.integers(1, 79)), st.sampled_from([1, 2, 4, 128]))
def test_any_batches_give_the_same_rows(some: list[Step], cuts: set[int], bound: int) -> None:
    """Sessions, corrections, returns and removals, with as many evictions as there can be."""
    parameters = BehaviorParameters(half_life_days=10.0, neighbors=bound)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(some)), len(some)]
    cut = merged((some[start:end] for start, end in pairwise(bounds)), parameters)
    assert content(cut) == content(merged([some], parameters))
    assert content(cut) == content(merged(([step] for step in some), parameters))


@given(st.lists(_sessions, min_size=1, max_size=120), st.integers(1, 6))
def test_no_score_is_wrong_by_more_than_the_error(some: list[Step], bound: int) -> None:
    """Scores of a row are too low by its error at most, and never too high."""
    parameters = BehaviorParameters(half_life_days=30.0, neighbors=bound)
    for product, row in merged([some], parameters).items():
        for code, relation in enumerate(RELATIONS):
            exact: defaultdict[str, float] = defaultdict(float)
            for own, neighbor, kind, day, weight, _ in some:
                if NAMES[own] == product and kind == code:
                    exact[NAMES[neighbor]] += weight * 2.0 ** ((day - row.as_of / DAY) / 30)
            found = {entry.product_id: entry.score for entry in row.top_k(relation, 1000)}
            error = row.error(relation)
            assert len(found) <= 2 * bound
            for name, score in exact.items():
                assert score - error - 1e-9 <= found.get(name, 0.0) <= score + 1e-9
            if len(exact) <= 2 * bound:
                assert error == 0


def test_the_weaker_half_is_dropped_when_one_neighbor_more_comes() -> None:
    """Ties keep the higher support, then the smaller id."""
    parameters = BehaviorParameters(half_life_days=10.0, neighbors=2)
    row = AffinityRow.empty()
    for name, weight in (("b", 5.0), ("c", 4.0), ("d", 2.0), ("e", 1.0)):
        row = row.merged(session_with("a", [name], weight=weight), parameters)
    assert (row.neighbors(), row.error(Relation.BOUGHT)) == (["b", "c", "d", "e"], 0.0)
    row = row.merged(session_with("a", ["f"]), parameters)
    assert row.top_k(Relation.BOUGHT, 9) == [("b", 5.0, 1), ("c", 4.0, 1)]
    assert row.error(Relation.BOUGHT) == 2.0
    for name, weight in (("z", 2.0), ("z", 2.0), ("y", 4.0), ("x", 4.0)):
        row = row.merged(session_with("a", [name], weight=weight), parameters)
    assert row.neighbors() == ["b", "z"]
    assert row.error(Relation.BOUGHT) == 6.0


def test_a_products_own_sessions_are_counted_beside_its_neighbors() -> None:
    """They decay, count for each relation, and are no neighbor."""
    parameters = BehaviorParameters(half_life_days=10.0)
    row = merged([[(0, 0, 2, 0.0, 1.0, 1), (0, 0, 2, 10.0, 0.5, 1), (0, 0, 0, 10.0, 0.3, 1)]], parameters)[
        "a"
    ]
    assert row.sessions() == {"viewed": 0.3, "bought": 1.0}
    assert not row.has_neighbors()
    row = row.merged(session_with("a", ["b"], day=20.0), parameters)
    assert row.sessions() == {"viewed": 0.15, "bought": 0.5}
    assert row.neighbors() == ["b"]


def test_the_ranking_holds_over_decades() -> None:
    """Sessions of long ago count little and still in their order."""
    parameters = BehaviorParameters(half_life_days=10.0, neighbors=2)
    row = AffinityRow.empty()
    for name, day in (("z", 1.0), ("b", 0.0), ("now", 9000.0)):
        row = row.merged(session_with("a", [name], day=day), parameters)
    assert [entry.product_id for entry in row.top_k(Relation.BOUGHT, 3)] == ["now", "z", "b"]


def test_a_changed_half_life_holds_from_the_landmark_on() -> None:
    row = AffinityRow.empty().merged(
        session_with("a", ["b"], day=100.0), BehaviorParameters(half_life_days=10)
    )
    row = row.merged(session_with("a", ["b"], day=130.0), BehaviorParameters(half_life_days=30))
    assert row.top_k(Relation.BOUGHT, 1) == [RankedNeighbor("b", 1.5, 2)]


def test_support_saturates() -> None:
    steps = [(0, 5, 2, 0.0, 1.0, 2**31 - 1)] * 3
    row = merged([steps], BehaviorParameters())["a"]
    assert [entry.support for entry in row.top_k(Relation.BOUGHT, 1)] == [2**32 - 1]


def row_of_version_1(names: list[str], weight: list[float], day: list[float]) -> bytes:
    """A row as the release before this one wrote it: a time for each neighbor."""
    columns = [
        np.array(weight).tobytes(),
        (np.array(day) * DAY).tobytes(),
        np.full(len(names), 3, "<u4").tobytes(),
    ]
    empty = [[], b"", b"", b""]
    scores = np.array([2.0, 1.0], dtype="<f4").tobytes()
    row = [max(day) * DAY, [max(day) * DAY, b"12345678", scores], [empty, empty, [names, *columns]]]
    return b"\x01" + msgspec.msgpack.encode(row)


def test_a_row_of_version_1_is_read_and_written_as_version_2() -> None:
    parameters = BehaviorParameters(half_life_days=10.0)
    row = AffinityRow.from_bytes(
        row_of_version_1(["b", "c"], [2.0, 4.0], [20.0, 10.0]), parameters.half_life_s
    )
    assert row.top_k(Relation.BOUGHT, 9) == [("b", 2.0, 3), ("c", 2.0, 3)]
    assert not row.is_current
    changed = row.merged(session_with("a", ["b"], day=20.0), parameters)
    stored = AffinityRow.from_bytes(changed.to_bytes())
    assert changed.to_bytes()[0] == 2
    assert stored.is_current
    assert stored.top_k(Relation.BOUGHT, 9) == [("b", 3.0, 4), ("c", 2.0, 3)]


def test_a_long_row_of_version_1_comes_down_to_the_bound() -> None:
    parameters = BehaviorParameters(half_life_days=10.0, neighbors=3)
    names = [f"n{number}" for number in range(20)]
    row = AffinityRow.from_bytes(
        row_of_version_1(names, [float(number) for number in range(20)], [0.0] * 20), parameters.half_life_s
    )
    row = row.merged(session_with("a", ["m"]), parameters)
    assert row.neighbors() == ["n17", "n18", "n19"]
    assert row.error(Relation.BOUGHT) == 16.0


def test_columns_that_differ_in_length_stop_the_worker() -> None:
    row = AffinityRow.empty().merged(session_with("a", ["b"]), BehaviorParameters())
    with pytest.raises(StopWorker, match="rebuild the state"):
        AffinityRow.from_bytes(row.to_bytes().replace(b"\xa1b", b"\xa3b\nc"))


def test_short_floats_are_within_half_a_percent() -> None:
    scores = np.array([0.0, 1.0, 1 / 3, 123_456.789, 1e-9])
    assert from_short_floats(short_floats(scores)) == pytest.approx(scores, rel=0.004)


@given(st.lists(st.sampled_from([0.3, 1 / 3, 0.017, 1e-300]) | st.floats(1e-9, 9.0), min_size=1, max_size=60))
def test_equal_weights_are_stored_once_and_none_changes(weights: list[float]) -> None:
    row = AffinityRow.empty()
    for number, weight in enumerate(weights):
        row = row.merged(session_with("a", [f"n{number}"], weight=weight), BehaviorParameters())
    stored = AffinityRow.from_bytes(row.to_bytes())
    assert stored.top_k(Relation.BOUGHT, 60) == row.top_k(Relation.BOUGHT, 60)
    assert stored.to_bytes() == row.to_bytes()


def test_many_equal_weights_take_a_byte_each_and_a_damaged_place_is_reported() -> None:
    names = [f"n{number}" for number in range(100)]
    row = AffinityRow.empty().merged(session_with("a", names), BehaviorParameters())
    data = row.to_bytes()
    # An id of 4 bytes, a support and a place for each neighbor.
    assert len(data) < 700
    with pytest.raises(StopWorker, match="a weight is at 7"):
        AffinityRow.from_bytes(data.replace(b"\x00" * 100, b"\x00" * 99 + b"\x07"))
