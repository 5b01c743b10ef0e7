"""The agent `sessions`: user behavior in, co-behavior deltas and shopper updates out."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from models.behavior.event_time import seconds
from models.behavior.next_behavior import NextBehavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import ProductLabels
from models.behavior.sessions import ShopperRow, apply_events
from models.behavior.shopper import shopper_updated
from schemas.codec import decode_behavior
from schemas.erasure import decode_erasure, is_erasure
from schemas.errors import InvalidEvent
from schemas.events import UserBehavior
from schemas.keys import shopper_id
from schemas.product_identity import ProductIdentity
from schemas.tolerant_reader import field_name
from streams.agents.co_behavior import CoBehaviorOutputs
from streams.agents.erasures import ErasedShoppers, ShopperTableRow
from streams.agents.outputs import OutputBuilder
from streams.agents.shopper_retention import Retention, RetentionSweep
from streams.agents.totals import AgentTotals
from streams.lanes.agent import BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.records import Output, Record
from streams.state.tables import Table, TableSpec
from streams.topics import SHOPPER_UPDATED, USER_BEHAVIOR

log = structlog.get_logger()

# Milliseconds since 1970 of the last day of the year 9998: a day can be added to it.
_LATEST_MS = 253_370_678_400_000
# Bounds on memory: all 4,000 events of a batch may come from one crawler, and pair with 1,000 products each.
# A delta takes 29 bytes while it is collected, and as many while it is encoded.
_EVENTS_AT_ONCE = 256
# Decoding takes 1 µs, and finding misspelled names half as much again, so that only some records are checked.
_NAMES_CHECKED_EVERY = 16
_PAIRS_AT_ONCE = 250_000


@dataclass(slots=True)
class _Pending:
    """What a batch has of one shopper.

    Attributes:
        cause: The last record.
        events: The events, in offset order.
        erased_by: The request to forget the shopper before these events; None if there is none.
    """

    cause: Record
    events: list[UserBehavior] = field(default_factory=list)
    erased_by: Record | None = None


def sessions_agent(
    shoppers: TableSpec[ShopperTableRow],
    partitions: int,
    parameters: BehaviorParameters,
    next_behavior: NextBehavior,
    describe: Callable[[str], ProductLabels | None],
    retention: Retention | None = None,
    identity: ProductIdentity | None = None,
    totals: AgentTotals | None = None,
) -> BatchAgent:
    """Make the agent that groups behavior into sessions.

    Args:
        shoppers: The table of shoppers.
        partitions: The number of partitions of every topic.
        parameters: Session gap, bounds and half-lives.
        next_behavior: Predicts a shopper's next action.
        describe: Returns tags and category of a product, or None if it is unknown.
        retention: How long rows of shoppers stay; None is for ever.
        identity: What makes two products the same, and whether shops count.
        totals: Counts what no output tells.
    """
    sweep, build = RetentionSweep(retention or Retention()), OutputBuilder("sessions", partitions)

    def process(batch: Batch, erased: ErasedShoppers) -> None:
        table = batch.table(shoppers)
        deltas = CoBehaviorOutputs(partitions, batch.records[-1], "sessions")
        by_shopper = _by_shopper(batch, table, erased, identity or ProductIdentity(), totals or AgentTotals())
        for shopper, pending in by_shopper.items():
            key = shopper.encode()
            if pending.erased_by is not None:
                batch.send_outputs(_forget(table, key, batch.partition, build, pending.erased_by))
            if not pending.events:
                continue
            table.put(key, row := _applied(_row(table, key), pending.events, deltas, parameters))
            update = shopper_updated(shopper, row, next_behavior, describe, parameters)
            if update is not None:
                batch.send_outputs([build.event(update, shopper, pending.cause)])
        deltas.flush()
        batch.send_outputs(deltas.outputs)
        _end_rows(batch, table, by_shopper, sweep, build)

    @batch_agent(USER_BEHAVIOR, tables=[shoppers])
    async def sessions(batches: Batches) -> None:
        erased: ErasedShoppers | None = None
        async for batch in batches:
            erased = erased or ErasedShoppers(batch.table(shoppers))
            # This is CPU-bound work: it runs off the event loop, which serves the other lanes.
            await asyncio.to_thread(process, batch, erased)

    return sessions


def _row(table: Table[ShopperTableRow], key: bytes) -> ShopperRow:
    """Return a shopper's row; an empty one if there is none."""
    row = table.get(key)
    return row if isinstance(row, ShopperRow) else ShopperRow()


def _applied(
    row: ShopperRow, events: list[UserBehavior], deltas: CoBehaviorOutputs, parameters: BehaviorParameters
) -> ShopperRow:
    """Apply a shopper's events to the row, and write their pairs in parts."""
    for at in range(0, len(events), _EVENTS_AT_ONCE):
        row = apply_events(row, events[at : at + _EVENTS_AT_ONCE], deltas.builder, parameters)
        deltas.flush(_PAIRS_AT_ONCE)
    return row


def _end_rows(
    batch: Batch,
    table: Table[ShopperTableRow],
    by_shopper: dict[str, _Pending],
    sweep: RetentionSweep,
    build: OutputBuilder,
) -> None:
    """Delete some rows beyond the retention, counted back from the latest event of the batch."""
    if not sweep.active:
        return
    times = [seconds(each.occurred_at) for pending in by_shopper.values() for each in pending.events]
    for shopper in sweep.ended(table, len(batch), max(times), by_shopper) if times else ():
        table.put(shopper.encode(), None)
        batch.send_outputs([build.tombstone(SHOPPER_UPDATED, shopper, batch.records[-1])])


def _forget(
    table: Table[ShopperTableRow], key: bytes, partition: int, build: OutputBuilder, request: Record
) -> list[Output]:
    """Delete a shopper's row. Return the tombstone for shopper-updated.

    Keyless events may have made rows in any partition, so that each partition with a row writes a tombstone,
    and the partition of the key in any case.
    """
    tombstone = build.tombstone(SHOPPER_UPDATED, key.decode(), request)
    had_row = table.get(key) is not None
    table.put(key, None)
    return [tombstone] if had_row or tombstone.partition == partition else []


def _by_shopper(
    batch: Batch,
    table: Table[ShopperTableRow],
    erased: ErasedShoppers,
    identity: ProductIdentity,
    totals: AgentTotals,
) -> dict[str, _Pending]:
    """Decode a batch, dead-letter invalid records, and leave out what erased shoppers did before.

    Returns:
        What the batch has of each shopper.
    """
    by_shopper: dict[str, _Pending] = {}
    ignored = 0
    for record in batch:
        try:
            if is_erasure(record.value, record.headers):
                request = decode_erasure(record.key, record.headers, received_at(record))
                if erased.erase(table, request, record):
                    by_shopper[request.shopper] = _Pending(record, erased_by=record)
                continue
            event, left_out = decode_behavior(
                record.value, record.key, received_at=received_at(record), headers=record.headers
            )
        except InvalidEvent as error:
            if record.key is None or not erased.cover(table, _text(record.key), record, None):
                batch.dead_letter(record, error, "decode")
            continue
        if left_out or record.offset % _NAMES_CHECKED_EVERY == 0:
            totals.count_fields(UserBehavior, map(field_name, left_out), record.value)
        shopper = shopper_id(event)
        if erased.cover(table, shopper, record, event):
            ignored += 1
            continue
        pending = by_shopper.get(shopper)
        if pending is None:
            pending = by_shopper[shopper] = _Pending(record)
        pending.events.append(identity.behavior(event))
        pending.cause = record
    if requests := sum(pending.erased_by is not None for pending in by_shopper.values()):
        log.info("shoppers erased", count=requests)
    if ignored:
        log.info("events of erased shoppers are ignored", count=ignored)
    return by_shopper


def _text(key: bytes) -> str:
    return key.decode("utf-8", "replace")


def received_at(record: Record) -> datetime | None:
    """Return when the record was written, or None: old clients write -1, broken clients any number."""
    if not 0 <= record.timestamp <= _LATEST_MS:
        return None
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
