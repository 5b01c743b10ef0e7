"""Affinity rows equal the definition for any order and batches, are bounded, and publish changes only."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.affinity_row import AffinityRow, remove_product
from models.behavior.delta_codec import decode_deltas, encode_deltas
from models.behavior.deltas import RELATIONS, DeltaBuilder
from models.behavior.event_time import seconds
from models.behavior.offline_affinity import AffinityAggregator
from models.behavior.parameters import BehaviorParameters
from schemas.errors import StopWorker
from schemas.events import Action, Relation, UserBehavior
from schemas.keys import shopper_id
from tests.support.behavior import (
    START,
    Affinities,
    behavior,
    brute_force,
    named_events,
    session_with,
)

PARAMETERS = BehaviorParameters(half_life_days=10.0)
LATER = START + timedelta(days=300)


def distinct(events: Sequence[UserBehavior]) -> list[UserBehavior]:
    """Return the events without those that repeat an earlier event id of the shopper."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for event in events:
        if event.action is Action.IDENTIFY:
            continue  # It changes no affinity, and its id is not remembered.
        key = (shopper_id(event), event.event_id or "")
        if event.event_id is None or key not in seen:
            kept.append(event)
        seen.add(key)
    return kept


def rows_of(batches: Sequence[Sequence[UserBehavior]]) -> dict[str, AffinityRow]:
    aggregator = AffinityAggregator(PARAMETERS, shopper_id)
    for batch in batches:
        aggregator.add(batch)
    return {name: AffinityRow.from_bytes(row.to_bytes()) for name, row in aggregator.products.items()}


def scores(rows: dict[str, AffinityRow], as_of: datetime) -> Affinities:
    return {
        (product, relation, entry.product_id): (entry.score, entry.support)
        for product, row in rows.items()
        for relation in RELATIONS
        for entry in row.top_k(relation, 1000, seconds(as_of))
    }


def assert_same(found: Affinities, expected: Affinities) -> None:
    assert found.keys() == expected.keys()
    for key, (score, support) in expected.items():
        assert found[key][0] == pytest.approx(score, rel=1e-9)
        assert found[key][1] == support


@given(st.lists(st.lists(named_events, max_size=12), max_size=5))
def test_any_batches_give_the_scores_of_the_definition(batches: list[list[UserBehavior]]) -> None:
    events = distinct([event for batch in batches for event in batch])
    assert_same(scores(rows_of(batches), LATER), brute_force(events, PARAMETERS.half_life_days, LATER))


@given(
    st.lists(named_events, max_size=25).flatmap(
        lambda events: st.tuples(st.just(events), st.permutations(events))
    )
)
def test_the_order_of_arrival_does_not_matter(orders: tuple[list[UserBehavior], list[UserBehavior]]) -> None:
    one, other = ([msgspec.structs.replace(event, event_id=None) for event in order] for order in orders)
    assert_same(scores(rows_of([one]), LATER), scores(rows_of([other]), LATER))


@given(st.lists(named_events, max_size=25))
def test_events_sent_twice_count_once(events: list[UserBehavior]) -> None:
    once = rows_of([events])
    twice = rows_of([events, events])
    assert_same(scores(twice, LATER), scores(once, LATER))


def test_two_shoppers_with_one_session_id_have_two_sessions() -> None:
    rows = rows_of([[behavior("a", user_id="u"), behavior("b", user_id="v")]])
    assert scores(rows, LATER) == {}


def test_a_return_has_no_pairs() -> None:
    assert scores(rows_of([[behavior("a", Action.RETURN), behavior("b", Action.RETURN)]]), LATER) == {}


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 40_000)), min_size=1, max_size=30))
def test_decay_is_correct_over_a_century(sessions: list[tuple[str, int]]) -> None:
    row = AffinityRow.empty()
    for name, day in sessions:
        row = row.merged(session_with("a", [name], day=day), PARAMETERS)
    latest = max(day for _, day in sessions)
    assert row.as_of == latest * 86400
    for entry in row.top_k(Relation.BOUGHT, 20):
        expected = sum(2.0 ** ((day - latest) / 10) for name, day in sessions if name == entry.product_id)
        assert entry.score == pytest.approx(expected, rel=1e-9, abs=1e-300)
        assert entry.support == sum(name == entry.product_id for name, _ in sessions)


def test_ties_rank_by_support_then_by_id() -> None:
    row = AffinityRow.empty().merged(session_with("a", ["c", "b"], weight=2.0), PARAMETERS)
    row = row.merged(session_with("a", ["d"]), PARAMETERS).merged(session_with("a", ["d"]), PARAMETERS)
    best = row.top_k(Relation.BOUGHT, 3)
    assert [entry.product_id for entry in best] == ["d", "b", "c"]


def test_the_order_of_summation_does_not_break_a_tie() -> None:
    """In floating point, 0.1 + 0.2 is a little more than 0.3."""
    row = AffinityRow.empty()
    for name, weight in (("z", 0.1), ("z", 0.2), ("b", 0.3), ("b", 0.0)):
        row = row.merged(session_with("a", [name], weight=weight), PARAMETERS)
    best = row.top_k(Relation.BOUGHT, 2)
    assert best == [("b", 0.3, 2), ("z", 0.3, 2)]


def test_merging_does_not_change_the_committed_row() -> None:
    row = AffinityRow.empty().merged(session_with("a", ["b", "c"]), PARAMETERS)
    before = row.to_bytes()
    row.merged(session_with("a", ["b", "d"], day=5.0), PARAMETERS)
    assert row.to_bytes() == before
    assert AffinityRow.from_bytes(before).to_bytes() == before


def test_a_withdrawn_product_is_removed_from_its_neighbors() -> None:
    rows = rows_of([[behavior(name, action) for action in (Action.VIEW, Action.PURCHASE) for name in "abc"]])
    builder = DeltaBuilder()
    remove_product("a", rows["a"], builder)
    (record,) = encode_deltas(builder.build())
    for product, deltas in decode_deltas(record).by_product():
        rows[product] = rows[product].merged(deltas, PARAMETERS)
    assert {name: rows[name].neighbors() for name in "bc"} == {"b": ["c"], "c": ["b"]}


def test_deltas_after_a_removal_start_from_zero() -> None:
    builder = DeltaBuilder()
    builder.add_pairs("a", ["b"], [0.0], Relation.BOUGHT)
    builder.remove("b", ["a"])
    builder.add_pairs("a", ["b"], [0.0], Relation.BOUGHT)
    row = AffinityRow.empty().merged(dict(builder.build().by_product())["a"], PARAMETERS)
    assert row.top_k(Relation.BOUGHT, 5) == [("b", 1.0, 1)]


def test_a_correction_does_not_add_a_dropped_neighbor() -> None:
    builder = DeltaBuilder()
    builder.add_pairs("a", ["b"], [5.0], Relation.BOUGHT, 1.0, 0)
    builder.add_pairs("a", ["b"], [9.0], Relation.BOUGHT, -1.0, 0)
    row = AffinityRow.empty().merged(dict(builder.build().by_product())["a"], PARAMETERS)
    assert row.neighbors() == []


@pytest.mark.parametrize(
    "data", [b"", b"\x03abc", b"\x02abc", b"\x01abc", b"\x01\x93\xcb" + bytes(8) + b"\x93\x01"]
)
def test_an_unreadable_row_stops_the_worker_with_advice(data: bytes) -> None:
    with pytest.raises(StopWorker, match="rebuild the state"):
        AffinityRow.from_bytes(data)


def test_a_failing_batch_changes_nothing() -> None:
    aggregator = AffinityAggregator(PARAMETERS, shopper_id)
    aggregator.add([behavior("a"), behavior("b", minute=1)])
    before = list(aggregator.updates())
    broken = msgspec.structs.replace(behavior("d"), occurred_at=None)
    with pytest.raises((TypeError, AttributeError)):
        aggregator.add([behavior("c", minute=2), broken])
    assert list(aggregator.updates()) == before


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_parameters_out_of_range_stop_the_worker(value: float) -> None:
    with pytest.raises(StopWorker, match="half_life_days"):
        BehaviorParameters(half_life_days=value)
