"""Rows of shoppers end by event time, a few with each batch, with a tombstone for who reads them."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from streams.agents.erasures import shoppers_table
from streams.agents.sessions import sessions_agent
from streams.agents.shopper_retention import Retention, RetentionSweep
from streams.lanes.processor import Processor
from streams.records import MemoryRecord
from streams.settings import Settings
from streams.state.stores import Checkpoint
from streams.state.tables import POSITIONS_KEY, StateDamaged, Tables
from streams.topics import SHOPPER_UPDATED, USER_BEHAVIOR
from tests.support.processing import NOW_MS, Source, process_batch, processor_of, tables_of, to

PARTITIONS = 4
SHOPPERS = shoppers_table("shoppers-changelog")
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
DAY_S = 86_400.0
RETENTION = Retention(100 * DAY_S, 10 * DAY_S)


def agent_with(retention: Retention | None) -> Processor:
    agent = sessions_agent(
        SHOPPERS,
        PARTITIONS,
        BehaviorParameters(),
        shipped_next_behavior(),
        lambda product: None,
        retention,
    )
    return processor_of(agent, PARTITIONS)


@pytest.fixture
def tables() -> Tables:
    return tables_of(SHOPPERS)


def view(source: Source, shopper: str, days_ago: float, guest: bool = False) -> MemoryRecord:
    event = {
        "product_id": "p",
        "session_id" if guest else "user_id": shopper,
        "action": "view",
        "occurred_at": (NOW - timedelta(days=days_ago)).isoformat(),
    }
    return source.record(orjson.dumps(event), shopper.encode())


async def committed(agent: Processor, tables: Tables, *records: MemoryRecord) -> list[bytes]:
    """Process and commit a batch; return the shoppers that were withdrawn."""
    outputs = await process_batch(agent, list(records), tables)
    for table in tables:
        table.apply(table.changes(), Checkpoint((records[-1].offset + 1, NOW_MS)))
    return [output.key or b"" for output in to(SHOPPER_UPDATED, outputs) if output.value is None]


async def test_rows_that_were_not_touched_for_long_end_with_a_tombstone(tables: Tables) -> None:
    """Guests end earlier. A shopper who comes back in the batch stays."""
    source, agent = Source(USER_BEHAVIOR), agent_with(RETENTION)
    old = [("gone", 101.0, False), ("stays", 99.0, False), ("back", 200.0, False), ("passing", 11.0, True),
           ("recent", 9.0, True)]  # fmt: skip
    await committed(agent_with(None), tables, *(view(source, *each) for each in old))
    assert await committed(agent, tables, view(source, "back", 0)) == [b"gone", b"passing"]
    table = tables.of(SHOPPERS)
    kept = [name for name, _, _ in old if table.get(name.encode()) is not None]
    assert kept == ["stays", "back", "recent"]


async def test_a_replay_of_old_events_ends_nothing(tables: Tables) -> None:
    source = Source(USER_BEHAVIOR)
    await committed(agent_with(None), tables, view(source, "a", 300))
    assert await committed(agent_with(RETENTION), tables, view(source, "b", 250)) == []


async def test_without_a_retention_rows_stay(tables: Tables) -> None:
    source = Source(USER_BEHAVIOR)
    await committed(agent_with(None), tables, view(source, "a", 3000))
    assert await committed(agent_with(Retention.of(Settings())), tables, view(source, "b", 0)) == []


async def test_all_rows_are_looked_at_in_the_end_and_the_positions_stay(tables: Tables) -> None:
    """Each batch looks at a few rows."""
    source, agent = Source(USER_BEHAVIOR), agent_with(RETENTION)
    names = [f"s{number:03}" for number in range(100)]
    await committed(agent_with(None), tables, *(view(source, name, 150) for name in names))
    tables.of(SHOPPERS).store.apply({POSITIONS_KEY: b"[]"}, Checkpoint((200, NOW_MS)))
    ended: list[bytes] = []
    batches = 0
    while len(ended) < len(names) and batches < 20:
        batch_ended = await committed(agent, tables, view(source, "now", 0))
        assert len(batch_ended) <= 16
        ended += batch_ended
        batches += 1
    assert sorted(ended) == [name.encode() for name in names]
    assert tables.of(SHOPPERS).store.get(POSITIONS_KEY) == b"[]"


async def test_an_event_that_is_dated_ahead_ends_nothing(tables: Tables) -> None:
    source = Source(USER_BEHAVIOR)
    await committed(agent_with(None), tables, view(source, "a", 1))
    table, clock = tables.of(SHOPPERS), NOW.timestamp()
    ahead = clock + 1000 * DAY_S
    assert RetentionSweep(RETENTION, lambda: clock).ended(table, 1, ahead, ()) == []
    assert RetentionSweep(RETENTION, lambda: ahead).ended(table, 1, ahead, ()) == ["a"]


async def test_a_damaged_row_is_the_state_s_fault(tables: Tables) -> None:
    table = tables.of(SHOPPERS)
    table.store.apply({b"a": b"\x07damaged"}, Checkpoint((1, NOW_MS)))
    with pytest.raises(StateDamaged):
        RetentionSweep(RETENTION).ended(table, 1, NOW.timestamp(), ())


def test_guests_stay_no_longer_than_shoppers() -> None:
    assert Retention.of(Settings(shopper_retention_days=2)) == Retention(2 * DAY_S, 2 * DAY_S)
    assert Retention.of(Settings(guest_retention_days=1)) == Retention(None, DAY_S)
