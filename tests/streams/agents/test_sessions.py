"""The agent `sessions`: behavior becomes deltas and shopper updates, or dead letters."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from models.behavior.delta_codec import decode_deltas
from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.taste_mean import ProductLabels
from schemas.codec import decode_shopper_updated
from schemas.dead_letters import SOURCE_OFFSET
from schemas.events import Relation
from schemas.keys import partition_for
from streams.agents import shopper_update
from streams.agents.erasures import shoppers_table
from streams.agents.sessions import sessions_agent
from streams.agents.totals import AgentTotals
from streams.lanes.processor import Processor
from streams.lanes.runtime import LaneLimits
from streams.records import MemoryRecord, Output
from streams.state.tables import Tables
from streams.topics import CO_BEHAVIOR, DEAD_LETTER, SHOPPER_UPDATED, USER_BEHAVIOR
from tests.support.processing import (
    NOW_MS,
    Source,
    header,
    process_batch,
    processor_of,
    reasons,
    tables_of,
    to,
)

PARTITIONS = 4
SHOPPERS = shoppers_table("shoppers-changelog")
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


def describe(product_id: str) -> ProductLabels | None:
    """Every product but `unknown` is tagged with its first letter."""
    return None if product_id == "unknown" else ProductLabels([product_id[0]], "Media > Books")


@pytest.fixture
def agent() -> Processor:
    return processor_of(
        sessions_agent(SHOPPERS, PARTITIONS, BehaviorParameters(), shipped_next_behavior(), describe),
        PARTITIONS,
    )


@pytest.fixture
def tables() -> Tables:
    return tables_of(SHOPPERS)


def behavior(product_id: str = "a", user_id: str | None = "u", **more: object) -> bytes:
    event = {
        "product_id": product_id,
        "user_id": user_id,
        "action": "purchase",
        "occurred_at": "2026-01-01T12:00:00Z",
    }
    return orjson.dumps(event | more)


def basket(source: Source, products: str, user_id: str = "u") -> list[MemoryRecord]:
    """Purchases of one shopper, of products with ids of one letter."""
    return [source.record(behavior(product_id, user_id), user_id.encode()) for product_id in products]


def met(outputs: list[Output]) -> set[tuple[str, str, str, float]]:
    """Product, neighbor, relation and support of all pairs."""
    found = set()
    for output in to(CO_BEHAVIOR, outputs):
        deltas = decode_deltas(output.value or b"")
        for row in range(len(deltas)):
            assert partition_for(deltas.ids[deltas.product[row]].encode(), PARTITIONS) == output.partition
            pair = deltas.ids[deltas.product[row]], deltas.ids[deltas.neighbor[row]]
            if pair[0] != pair[1]:
                found.add((*pair, list(Relation)[deltas.code[row]].value, float(deltas.support[row])))
    return found


async def test_a_basket_becomes_pairs_and_one_event_of_its_shopper(agent: Processor, tables: Tables) -> None:
    """Each pair in both directions, in the partitions of both products, and preferences from their labels."""
    outputs = await process_batch(agent, basket(Source(USER_BEHAVIOR), "abc"), tables)
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    assert met(outputs) == {
        (*pair, "bought", 1.0) for one, other in pairs for pair in ((one, other), (other, one))
    }
    (update,) = to(SHOPPER_UPDATED, outputs)
    event = decode_shopper_updated(update.value, update.key)
    assert (update.key, update.partition) == (b"u", partition_for(b"u", PARTITIONS))
    assert (event.session.events, event.session.products) == (3, 3)
    assert {tag.name for tag in event.tags} == {"a", "b", "c"}
    assert sum(event.next_behavior.values()) == pytest.approx(1.0, abs=1e-3)


async def test_a_session_continues_in_the_next_batch(agent: Processor, tables: Tables) -> None:
    """Earlier products of the session are paired with later ones."""
    source = Source(USER_BEHAVIOR)
    assert met(await process_batch(agent, basket(source, "a"), tables)) == set()
    outputs = await process_batch(agent, basket(source, "b"), tables)
    assert met(outputs) == {("a", "b", "bought", 1.0), ("b", "a", "bought", 1.0)}


async def test_products_of_different_shoppers_are_not_paired(agent: Processor, tables: Tables) -> None:
    """A guest whose session id equals a user id is another shopper."""
    source = Source(USER_BEHAVIOR)
    batch = basket(source, "a", "u") + basket(source, "b", "v")
    outputs = await process_batch(agent, batch, tables)
    assert met(outputs) == set()
    assert sorted(output.key or b"" for output in to(SHOPPER_UPDATED, outputs)) == [b"u", b"v"]


async def test_a_crawler_s_pairs_are_written_in_parts_and_all_of_them(
    agent: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch may cause millions of pairs. They are encoded in parts, and each record has its own id."""
    source = Source(USER_BEHAVIOR)
    times = [f"2026-01-01T12:{number:02}:00Z" for number in range(60)]
    batch = [source.record(behavior(f"p{time[14:16]}", occurred_at=time), b"u") for time in times]
    whole = await process_batch(agent, batch, tables_of(SHOPPERS))
    monkeypatch.setattr(shopper_update, "_EVENTS_AT_ONCE", 7)
    monkeypatch.setattr(shopper_update, "_PAIRS_AT_ONCE", 50)
    parts = await process_batch(agent, batch, tables_of(SHOPPERS))
    assert len(to(CO_BEHAVIOR, whole)) == PARTITIONS < len(to(CO_BEHAVIOR, parts))
    assert met(parts) == met(whole)
    # Each product's own sessions are among the deltas.
    assert sum(len(decode_deltas(each.value or b"")) for each in to(CO_BEHAVIOR, parts)) == 60 * 60
    identities = [header(each, "ce_id") for each in to(CO_BEHAVIOR, parts)]
    assert len(set(identities)) == len(identities)
    assert to(SHOPPER_UPDATED, parts) == to(SHOPPER_UPDATED, whole)


async def test_the_longest_ids_fill_neither_a_row_nor_the_topic_of_pairs(agent: Processor) -> None:
    """A thousand ids of a kilobyte would make a row too large to write."""
    source, tables = Source(USER_BEHAVIOR), tables_of(SHOPPERS)
    ids = ["\U0001f600" * 250 + f"{number:06}" for number in range(1_200)]
    batch = [
        source.record(behavior(name, action=action, session_id="s"), b"u")
        for name in ids
        for action in ("view", "cart", "purchase")
    ]
    outputs = await process_batch(agent, batch, tables)
    row = tables.of(SHOPPERS).get(b"u")
    assert row is not None
    assert len(row.to_bytes()) < LaneLimits().row_bytes
    assert sum(each.size for each in to(CO_BEHAVIOR, outputs)) < 50_000_000


async def test_a_guest_is_known_by_the_session(agent: Processor, tables: Tables) -> None:
    record = Source(USER_BEHAVIOR).record(behavior("a", None, session_id="s"), b"s")
    outputs = await process_batch(agent, [record], tables)
    assert [update.key for update in to(SHOPPER_UPDATED, outputs)] == [b"s"]
    assert tables.of(SHOPPERS).get(b"s") is not None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null-value"),
        (b"", "empty-value"),
        (b"{", "malformed-json"),
        (b"\xff\x00", "malformed-json"),
        (behavior(action="steal"), "invalid-field"),
        (behavior(action=None), "invalid-field"),
        (behavior(product_id=""), "invalid-field"),
        (behavior(product_id="a\x00"), "invalid-field"),
        (behavior(occurred_at="yesterday"), "invalid-field"),
        (behavior(occurred_at="1999-12-31T23:59:59Z"), "invalid-time"),
        (behavior(occurred_at=(NOW + timedelta(days=1, seconds=1)).isoformat()), "invalid-time"),
        (behavior(user_id=None), "missing-shopper"),
        (behavior(user_id="other"), "key-mismatch"),
        (behavior(schema_version=9), "unknown-version"),
    ],
)
async def test_invalid_behavior_is_dead_lettered_and_the_other_records_count(
    agent: Processor, tables: Tables, value: bytes | None, reason: str
) -> None:
    """The dead letter has the original bytes. The rest of the session is paired as if it were absent."""
    source = Source(USER_BEHAVIOR)
    batch = [*basket(source, "x"), source.record(value, b"u"), *basket(source, "y")]
    outputs = await process_batch(agent, batch, tables)
    (letter,) = to(DEAD_LETTER, outputs)
    assert (letter.key, letter.value, reasons(outputs)) == (b"u", value, [reason])
    assert header(letter, SOURCE_OFFSET) == "1"
    assert {pair[:2] for pair in met(outputs)} == {("x", "y"), ("y", "x")}


async def test_a_batch_of_invalid_behavior_gives_dead_letters_only(agent: Processor, tables: Tables) -> None:
    source = Source(USER_BEHAVIOR)
    outputs = await process_batch(agent, [source.record(b"{", b"u"), source.record(None, b"u")], tables)
    assert [output.topic for output in outputs] == [DEAD_LETTER, DEAD_LETTER]
    assert tables.of(SHOPPERS).get(b"u") is None


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=1)])
async def test_a_clock_that_is_slightly_ahead_is_accepted(
    agent: Processor, tables: Tables, ahead: timedelta
) -> None:
    value = behavior(occurred_at=(NOW + ahead).isoformat())
    outputs = await process_batch(agent, [Source(USER_BEHAVIOR).record(value, b"u")], tables)
    assert reasons(outputs) == []


@pytest.mark.parametrize("timestamp", [-1, -(2**63), 2**63 - 1])
async def test_a_record_without_a_valid_timestamp_is_accepted(
    agent: Processor, tables: Tables, timestamp: int
) -> None:
    """Old clients write -1. The time of the event is used."""
    record = Source(USER_BEHAVIOR).record(behavior(), b"u", timestamp=timestamp)
    assert len(to(SHOPPER_UPDATED, await process_batch(agent, [record], tables))) == 1


@pytest.mark.parametrize("apart", [False, True])
async def test_a_duplicate_event_changes_nothing(agent: Processor, tables: Tables, apart: bool) -> None:
    """Pairs and counts are the same as without it, in one batch or two."""
    source = Source(USER_BEHAVIOR)
    values = [behavior("a", event_id="1"), behavior("b", event_id="2"), behavior("b", event_id="2")]
    batch = [source.record(value, b"u") for value in values]
    outputs = await process_batch(agent, batch[:2] if apart else batch, tables)
    if apart:
        before = tables.of(SHOPPERS).store.get(b"u")
        again = await process_batch(agent, batch[2:], tables)
        assert met(again) == set()
        assert tables.of(SHOPPERS).store.get(b"u") == before
    assert met(outputs) == {("a", "b", "bought", 1.0), ("b", "a", "bought", 1.0)}
    (update,) = to(SHOPPER_UPDATED, outputs)
    assert decode_shopper_updated(update.value, update.key).session.events == 2


async def test_a_return_is_not_paired(agent: Processor, tables: Tables) -> None:
    source = Source(USER_BEHAVIOR)
    batch = [*basket(source, "a"), source.record(behavior("b", action="return"), b"u")]
    assert met(await process_batch(agent, batch, tables)) == set()


def shop(source: Source) -> list[MemoryRecord]:
    """Interleaved baskets of some shoppers, with an invalid record."""
    batch = basket(source, "abcdefgh", "u") + basket(source, "fghij", "v")
    return [*batch, source.record(b"{", b"u"), *basket(source, "klm", "w")]


async def test_the_same_records_give_the_same_outputs(agent: Processor) -> None:
    """A repeated batch gives the same bytes and ids."""
    batch = shop(Source(USER_BEHAVIOR))
    once = await process_batch(agent, batch, tables_of(SHOPPERS))
    assert once == await process_batch(agent, batch, tables_of(SHOPPERS))


async def test_ids_are_unique(agent: Processor, tables: Tables) -> None:
    """Over topics, target partitions and batches of any size."""
    batch = shop(Source(USER_BEHAVIOR))
    outputs = [output for cut in (batch[:5], batch[5:]) for output in await process_batch(agent, cut, tables)]
    ids = [header(output, "ce_id") for output in outputs if output.topic != DEAD_LETTER]
    assert len(set(ids)) == len(ids) > 2 * PARTITIONS
    assert len({output.partition for output in to(CO_BEHAVIOR, outputs)}) == PARTITIONS


async def test_each_target_partition_gets_one_record_of_a_batch(agent: Processor, tables: Tables) -> None:
    """Deltas are columnar: there is no record per pair."""
    outputs = to(CO_BEHAVIOR, await process_batch(agent, shop(Source(USER_BEHAVIOR)), tables))
    targets = [output.partition for output in outputs]
    assert sorted(targets) == sorted(set(targets))


async def test_wrong_optional_fields_of_behavior_are_counted(tables: Tables) -> None:
    totals = AgentTotals()
    agent = processor_of(
        sessions_agent(SHOPPERS, 1, BehaviorParameters(), shipped_next_behavior(), describe, totals=totals),
        1,
    )
    values = [behavior(price="19.99", quantity=0), behavior(price={"amount": 1}), behavior(quantity=0.5)]
    source = Source(USER_BEHAVIOR)
    records = [source.record(value, b"u") for value in values]
    assert not to(DEAD_LETTER, await process_batch(agent, records, tables))
    assert totals.ignored_fields == {(USER_BEHAVIOR, "price"): 1, (USER_BEHAVIOR, "quantity"): 1}


async def test_late_events_are_counted(tables: Tables) -> None:
    totals = AgentTotals()
    parameters = BehaviorParameters(allowed_lateness_days=1)
    agent = processor_of(
        sessions_agent(SHOPPERS, 1, parameters, shipped_next_behavior(), describe, totals=totals), 1
    )
    source = Source(USER_BEHAVIOR)
    times = ("2026-01-10T12:00:00Z", "2026-01-01T12:00:00Z")
    records = [source.record(behavior("a", occurred_at=time), b"u") for time in times]
    await process_batch(agent, records, tables)
    assert totals.without_pairs == {"late": 1}
