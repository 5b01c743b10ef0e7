"""A replay of behavior counts nothing twice, and loses nothing that was not counted."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.delta_codec import decode_deltas
from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from schemas.errors import StopWorker
from streams.agents.counted_offsets import CountedOffsets
from streams.agents.erasures import shoppers_table
from streams.agents.sessions import sessions_agent
from streams.agents.shopper_moves import FormerName, move
from streams.agents.totals import AgentTotals
from streams.lanes.processor import Processor
from streams.records import MemoryRecord, Output
from streams.replay.dead_letter_records import parse_dead_letter, redrive_record
from streams.replay.ranges import OffsetRange
from streams.replay.replay_plan import ReplayPlan
from streams.state.stores import Checkpoint
from streams.state.tables import Tables
from streams.topics import CO_BEHAVIOR, DEAD_LETTER, SHOPPER_REPARTITION, SHOPPER_UPDATED, USER_BEHAVIOR
from tests.support.processing import Source, process_batch, processor_of, tables_of, to

SHOPPERS = shoppers_table("shoppers-changelog")
KEY = b"\x00shelfstream.counted"
START = datetime(2026, 1, 1, tzinfo=UTC)
REPLAY = ReplayPlan(USER_BEHAVIOR, (OffsetRange(0, 0, 10_000),), USER_BEHAVIOR, 1, "r1")


def agent_of(totals: AgentTotals | None = None, moves: bool = False) -> Processor:
    next_behavior = shipped_next_behavior()
    return processor_of(
        sessions_agent(
            SHOPPERS, 1, BehaviorParameters(), next_behavior, lambda _: None, totals=totals, moves=moves
        )
    )


def purchase(source: Source, shopper: str, product: str, hours: float) -> MemoryRecord:
    """A purchase, in a session of its own hour."""
    event = {
        "user_id": shopper,
        "session_id": f"{shopper}-{hours}",
        "product_id": product,
        "action": "purchase",
        "occurred_at": (START + timedelta(hours=hours)).isoformat(),
    }
    return source.record(orjson.dumps(event), shopper.encode())


def baskets(source: Source, count: int) -> list[MemoryRecord]:
    """Baskets of `a` and `b`, three hours apart, of ten shoppers in turn."""
    return [
        purchase(source, f"shopper-{number % 10}", product, 3 * number)
        for number in range(count)
        for product in "ab"
    ]


def copy(source: Source, record: MemoryRecord) -> MemoryRecord:
    """What a replay writes of a record."""
    return source.moved(REPLAY.output_for(record))


def support(outputs: Sequence[Output]) -> dict[tuple[str, str], float]:
    """The support that outputs add to each pair."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for output in to(CO_BEHAVIOR, outputs):
        deltas = decode_deltas(output.value or b"")
        for row in range(len(deltas)):
            pair = deltas.ids[deltas.product[row]], deltas.ids[deltas.neighbor[row]]
            found[pair] += float(deltas.support[row])
    return {pair: value for pair, value in found.items() if value}


def rows(tables: Tables) -> dict[bytes, bytes]:
    """The rows of shoppers."""
    return {key: row for key, row in tables.of(SHOPPERS).store.items() if key[:1] != b"\x00"}


async def process_all(
    agent: Processor, records: Sequence[MemoryRecord], tables: Tables, size: int = 100
) -> list[Output]:
    """Process records in batches."""
    return [
        output
        for at in range(0, len(records), size)
        for output in await process_batch(agent, records[at : at + size], tables)
    ]


async def test_a_replay_of_baskets_changes_nothing() -> None:
    """A shopper's row remembers fewer sessions than are replayed."""
    totals, source, tables = AgentTotals(), Source(USER_BEHAVIOR), tables_of(SHOPPERS)
    agent, originals = agent_of(totals), baskets(source, 200)
    assert support(await process_all(agent, originals, tables))["a", "b"] == 200
    before = rows(tables)
    assert await process_all(agent, [copy(source, each) for each in originals], tables) == []
    assert rows(tables) == before
    assert totals.replayed == 400
    again = [source.record(each.value, each.key) for each in originals]
    assert support(await process_all(agent, again, tables))["a", "b"] > 100, "a producer's own repetition"


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 9))
async def test_copies_anywhere_in_the_log_and_in_any_batches_change_nothing(
    copied: list[int], size: int
) -> None:
    """A copy is at any place behind its original. The oracle reads the originals alone."""
    source = Source(USER_BEHAVIOR)
    originals: list[MemoryRecord] = []
    log: list[MemoryRecord] = []
    for number, index in enumerate(copied):
        record = purchase(source, f"shopper-{number % 2}", f"p{number % 5}", 5 * number)
        originals.append(record)
        log.append(record)
        if index < len(originals):
            log.append(copy(source, originals[index]))
    with_copies, without = tables_of(SHOPPERS), tables_of(SHOPPERS)
    found = support(await process_all(agent_of(), log, with_copies, size))
    assert found == support(await process_all(agent_of(), originals, without, size))
    assert rows(with_copies).keys() == rows(without).keys()


async def test_a_redriven_record_counts_once() -> None:
    """It counts although its offset was read before, and its own replay does not."""
    agent, source, tables = agent_of(), Source(USER_BEHAVIOR), tables_of(SHOPPERS)
    await process_batch(agent, [purchase(source, "u", "a", 0)], tables)
    (letter,) = await process_batch(agent, [source.record(b'{"user_id":"u"', b"u")], tables)
    assert letter.topic == DEAD_LETTER
    sent = redrive_record(parse_dead_letter(Source(DEAD_LETTER).moved(letter)), 1)
    repaired = source.record(purchase(Source(""), "u", "b", 0).value, sent.key, sent.headers)
    assert support(await process_batch(agent, [repaired], tables))["a", "b"] == 1
    assert await process_batch(agent, [copy(source, repaired)], tables) == []


async def test_a_dead_letter_is_left_to_the_redrive() -> None:
    """A replay of what became a dead letter makes none again. A redriven dead letter of a copy counts."""
    agent, source, tables = agent_of(), Source(USER_BEHAVIOR), tables_of(SHOPPERS)
    broken = source.record(b'{"user_id":"u"', b"u")
    assert len(await process_batch(agent, [broken], tables)) == 1
    repeated = copy(source, broken)
    assert await process_batch(agent, [repeated], tables) == []
    (letter,) = await process_batch(agent_of(), [repeated], tables_of(SHOPPERS))
    sent = redrive_record(parse_dead_letter(Source(DEAD_LETTER).moved(letter)), 1)
    repaired = source.record(purchase(Source(""), "u", "b", 0).value, sent.key, sent.headers)
    assert to(SHOPPER_UPDATED, await process_batch(agent, [repaired], tables))


@pytest.mark.parametrize("moves", [False, True])
async def test_a_new_table_counts_what_it_has_not_read(moves: bool) -> None:
    """Its first offset is that of its first batch; messages of other lanes may come before."""
    agent, tables = agent_of(moves=moves), tables_of(SHOPPERS)
    old = Source(USER_BEHAVIOR)
    unread = purchase(old, "u", "a", 0)
    if moves:
        message = move("v", FormerName(name="w"), unread, 1)
        await process_batch(agent, [Source(SHOPPER_REPARTITION).moved(message)], tables)
    source = Source(USER_BEHAVIOR, offset=100)
    read = purchase(source, "u", "b", 0)
    await process_batch(agent, [read], tables)
    copies = [copy(source, read), copy(source, unread)]
    assert support(await process_batch(agent, copies, tables))["a", "b"] == 1


async def test_rows_of_an_earlier_release_have_counted_all_that_lies_before() -> None:
    agent, source, tables = agent_of(), Source(USER_BEHAVIOR), tables_of(SHOPPERS)
    originals = baskets(source, 40)
    await process_all(agent, originals, tables)
    restored = tables_of(SHOPPERS)
    restored.of(SHOPPERS).restore(rows(tables), Checkpoint((0, 0)))
    assert await process_all(agent_of(), [copy(source, each) for each in originals], restored) == []


async def test_a_topic_that_was_created_again_counts_from_its_start() -> None:
    agent, tables = agent_of(), tables_of(SHOPPERS)
    await process_all(agent, baskets(Source(USER_BEHAVIOR, offset=1_000), 3), tables)
    source = Source(USER_BEHAVIOR)
    originals = [purchase(source, "new", product, 0) for product in "ab"]
    assert support(await process_batch(agent, originals, tables))["a", "b"] == 1
    assert tables.of(SHOPPERS).get(KEY) == CountedOffsets(0, 2)
    assert await process_batch(agent, [copy(source, each) for each in originals], tables) == []


async def test_a_copy_of_another_topic_or_partition_counts() -> None:
    """Offsets of other partitions say nothing of this one."""
    agent, source, tables = agent_of(), Source(USER_BEHAVIOR), tables_of(SHOPPERS)
    await process_all(agent, baskets(source, 1), tables)
    for place in (Source("orders"), Source(USER_BEHAVIOR, partition=3)):
        moved = copy(source, purchase(place, place.topic, "a", 0))
        assert to(SHOPPER_UPDATED, await process_batch(agent, [moved], tables))


def test_a_damaged_row_stops_the_worker() -> None:
    assert SHOPPERS.decode(CountedOffsets(3, 9).to_bytes()) == CountedOffsets(3, 9)
    with pytest.raises(StopWorker, match="counted offsets is damaged"):
        SHOPPERS.decode(b"\x04\xc1")
