"""Erased shoppers: their rows go, and no event that is older than the request brings them back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.deltas import DeltaBuilder
from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from schemas.codec import decode_user_behavior
from schemas.dead_letters import ATTEMPT
from schemas.erasure import decode_erasure, erasure_header, is_erasure
from schemas.errors import InvalidEvent
from schemas.keys import partition_for
from streams.agents.erasures import ErasureMark, shoppers_table
from streams.agents.sessions import sessions_agent
from streams.lanes.agent import AgentProcessor
from streams.lanes.bisection import Bisection
from streams.lanes.runtime import LaneLimits
from streams.provenance import ORIGIN, REPLAY
from streams.records import MemoryRecord, Output, Record
from streams.state.tables import Tables
from streams.topics import DEAD_LETTER, SHOPPER_UPDATED, USER_BEHAVIOR
from tests.support.behavior import without_corrections
from tests.support.processing import NOW_MS, Source, process_batch, processor_of, tables_of, to

SHOPPERS = shoppers_table("shoppers-changelog")
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
PARAMETERS = BehaviorParameters()


def agent_of(partitions: int = 1) -> AgentProcessor:
    return processor_of(
        sessions_agent(SHOPPERS, partitions, PARAMETERS, shipped_next_behavior(), lambda product: None),
        partitions,
    )


def behavior(shopper: str, minutes: int, number: int = 0) -> bytes:
    """A view at so many minutes after `NOW`."""
    event = {
        "product_id": f"p{number}",
        "user_id": shopper,
        "action": "view",
        "occurred_at": (NOW + timedelta(minutes=minutes)).isoformat(),
    }
    return orjson.dumps(event)


def request(source: Source, shopper: str, minutes: int = 0) -> MemoryRecord:
    return source.record(None, shopper.encode(), [erasure_header(NOW + timedelta(minutes=minutes))])


def copy(source: Source, record: MemoryRecord, header: str = REPLAY) -> MemoryRecord:
    """What a replay or a redrive writes of a record."""
    origin = f"{record.topic}:{record.partition}:{record.offset}".encode()
    return source.record(record.value, record.key, [*record.headers, (ORIGIN, origin), (header, b"2")])


def row(tables: Tables, shopper: str) -> bytes | None:
    stored: bytes | None = tables.of(SHOPPERS).store.get(shopper.encode())
    return stored


async def test_an_erased_shopper_leaves_tombstones_and_no_id_in_a_value() -> None:
    agent, tables, source = agent_of(), tables_of(SHOPPERS), Source(USER_BEHAVIOR)
    await process_batch(agent, [source.record(behavior("ana-secret", -5), b"ana-secret")], tables)
    assert row(tables, "ana-secret")
    outputs = await process_batch(agent, [request(source, "ana-secret")], tables)
    assert [(each.topic, each.key, each.value) for each in outputs] == [
        (SHOPPER_UPDATED, b"ana-secret", None)
    ]
    assert row(tables, "ana-secret") is None
    rows = dict(tables.of(SHOPPERS).store.items())
    assert len(rows) == 2, "the mark, and the counted offsets"
    assert not any(b"ana-secret" in key + value for key, value in rows.items())


@pytest.mark.parametrize("header", [REPLAY, ATTEMPT])
async def test_replayed_and_late_events_do_not_bring_a_shopper_back(header: str) -> None:
    agent, tables, source = agent_of(), tables_of(SHOPPERS), Source(USER_BEHAVIOR)
    ahead = source.record(behavior("ana", 30), b"ana")  # a clock that is half an hour ahead
    broken = source.record(b'{"user_id":"ana"', b"ana")
    await process_batch(agent, [ahead, request(source, "ana")], tables)
    late = source.record(behavior("ana", -1), b"ana")
    again = [copy(source, ahead, header), copy(source, broken, header), late]
    assert await process_batch(agent, again, tables) == []
    assert row(tables, "ana") is None
    restarted = agent_of()
    assert await process_batch(restarted, [copy(source, ahead, header)], tables) == []
    other = await process_batch(restarted, [source.record(behavior("bob", -1), b"bob")], tables)
    assert [each.key for each in to(SHOPPER_UPDATED, other)] == [b"bob"]


async def test_a_shopper_who_comes_back_begins_without_history() -> None:
    """A replay of the request does not erase what came since; a second request does."""
    agent, tables, source = agent_of(), tables_of(SHOPPERS), Source(USER_BEHAVIOR)
    erasure = request(source, "ana")
    await process_batch(agent, [erasure], tables)
    back = source.record(behavior("ana", 1), b"ana")
    await process_batch(agent, [back], tables)
    event = decode_user_behavior(back.value, back.key)
    assert row(tables, "ana") == apply_events(ShopperRow(), [event], DeltaBuilder(), PARAMETERS).to_bytes()
    assert await process_batch(agent, [copy(source, erasure)], tables) == []
    assert row(tables, "ana")
    await process_batch(agent, [request(source, "ana", 2)], tables)
    assert row(tables, "ana") is None


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-60, 60)), max_size=12),
    st.integers(0, 12),
    st.integers(1, 5),
    st.booleans(),
)
async def test_the_state_is_that_of_the_events_after_the_request(
    events: list[tuple[str, int]], at: int, size: int, replayed: bool
) -> None:
    """The oracle applies the events that were written and occurred after the request, in order."""
    source = Source(USER_BEHAVIOR)
    records = [source.record(behavior(who, minutes, n), who.encode()) for n, (who, minutes) in
               enumerate(events[:at])]  # fmt: skip
    records.append(request(source, "a"))
    records += [source.record(behavior(who, minutes, n), who.encode()) for n, (who, minutes) in
                enumerate(events[at:], at)]  # fmt: skip
    if replayed:
        records += [copy(source, record) for record in records[: at + 1]]
    tables, agent = tables_of(SHOPPERS), agent_of()
    for start in range(0, len(records), size):
        await process_batch(agent, records[start : start + size], tables)
    kept = [record for n, record in enumerate(records) if record.key == b"a" and record.value]
    first = records[min(at, len(events))].offset
    survivors = [
        decode_user_behavior(record.value, record.key)
        for record in kept
        if record.offset > first and dict(record.headers).get(REPLAY) is None
    ]
    survivors = [event for event in survivors if event.occurred_at > NOW]
    expected = apply_events(ShopperRow(), survivors, DeltaBuilder(), PARAMETERS).to_bytes()
    assert without_corrections(row(tables, "a")) == without_corrections(expected if survivors else None)


async def test_a_batch_that_is_bisected_still_erases() -> None:
    """The first attempt fails after the request was read, and is rolled back."""
    agent, tables, source = agent_of(), tables_of(SHOPPERS), Source(USER_BEHAVIOR)
    first = source.record(behavior("ana", -5), b"ana")
    erasure = copy(source, request(source, "ana"))
    failures = [InvalidEvent("too-large", "once")]

    class Failing:
        name, topics = agent.name, agent.topics

        async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
            outputs = await agent.process(records, tables)
            if failures:
                raise failures.pop()
            return outputs

    bisection = Bisection(Failing(), LaneLimits(), lambda record, error: Output(DEAD_LETTER, 0, None, None))
    outputs, changes = await bisection.process([first, erasure], tables)
    assert changes["shoppers"][b"ana"] is None
    assert [each.value for each in to(SHOPPER_UPDATED, outputs)][-1] is None
    assert len(changes["shoppers"]) == 3, "the row, the mark, and the counted offsets"


async def test_each_partition_with_a_row_writes_a_tombstone() -> None:
    """Events without a key make rows wherever their producer puts them."""
    partitions = 4
    home = partition_for(b"ana", partitions)
    for partition in range(partitions):
        agent, tables = agent_of(partitions), tables_of(SHOPPERS, partition)
        source = Source(USER_BEHAVIOR, partition)
        outputs = await process_batch(agent, [request(source, "ana")], tables)
        assert len(outputs) == (partition == home)
        await process_batch(agent, [source.record(behavior("ana", 5))], tables)
        again = await process_batch(agent, [request(source, "ana", 10)], tables)
        assert [(each.partition, each.value) for each in again] == [(home, None)]


@pytest.mark.parametrize(
    ("key", "header", "reason"),
    [
        (None, b"2026-01-01T00:00:00Z", "invalid-key"),
        (b"\xff", b"2026-01-01T00:00:00Z", "invalid-key"),
        (b"a\x00", b"2026-01-01T00:00:00Z", "invalid-key"),
        (b"a" * 257, b"2026-01-01T00:00:00Z", "invalid-key"),
        (b"a", b"now", "invalid-time"),
        (b"a", b"\xff", "invalid-time"),
        (b"a", b"2999-01-01T00:00:00Z", "invalid-time"),
    ],
)
def test_another_request_is_a_dead_letter(key: bytes | None, header: bytes, reason: str) -> None:
    """A request of the far future would suppress the shopper for ever."""
    headers = [("shelfstream.erasure", header)]
    assert is_erasure(None, headers)
    with pytest.raises(InvalidEvent) as caught:
        decode_erasure(key, headers, NOW)
    assert caught.value.reason == reason


async def test_a_null_value_without_the_header_is_a_dead_letter_as_before() -> None:
    agent, tables, source = agent_of(), tables_of(SHOPPERS), Source(USER_BEHAVIOR)
    await process_batch(agent, [source.record(behavior("ana", -5), b"ana")], tables)
    outputs = await process_batch(agent, [source.record(None, b"ana")], tables)
    assert [each.topic for each in outputs] == [DEAD_LETTER]
    assert row(tables, "ana")


def test_a_topic_that_was_created_again_is_not_suppressed_for_ever() -> None:
    mark = ErasureMark(NOW_MS, USER_BEHAVIOR, 0, 1_000)
    low = MemoryRecord(USER_BEHAVIOR, 0, 5)
    assert mark.covers(low, NOW + timedelta(hours=1))
    assert not mark.covers(low, NOW + timedelta(days=2))
