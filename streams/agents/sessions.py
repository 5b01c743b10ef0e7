"""The agent `sessions`: user behavior in, co-behavior deltas and shopper updates out."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from models.behavior.next_behavior import NextBehavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import ProductLabels
from models.behavior.sessions import ShopperRow, apply_events
from models.behavior.shopper import shopper_updated
from schemas.codec import decode_user_behavior
from schemas.errors import InvalidEvent
from schemas.events import UserBehavior
from schemas.keys import shopper_id
from streams.agents.co_behavior import CoBehaviorOutputs
from streams.agents.outputs import OutputBuilder
from streams.lanes.agent import BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.records import Record
from streams.state.tables import TableSpec
from streams.topics import USER_BEHAVIOR

# Milliseconds since 1970 of the last day of the year 9998: a day can be added to it.
_LATEST_MS = 253_370_678_400_000
# Bounds on memory: all 4,000 events of a batch may come from one crawler, and pair with 1,000 products each.
# A delta takes 29 bytes while it is collected, and as many while it is encoded.
_EVENTS_AT_ONCE = 256
_PAIRS_AT_ONCE = 250_000


def shoppers_table(changelog: str) -> TableSpec[ShopperRow]:
    """Describe the table of shoppers. Its rows are kept in the topic `changelog`."""
    return TableSpec("shoppers", changelog, ShopperRow.to_bytes, ShopperRow.from_bytes)


def sessions_agent(
    shoppers: TableSpec[ShopperRow],
    partitions: int,
    parameters: BehaviorParameters,
    next_behavior: NextBehavior,
    describe: Callable[[str], ProductLabels | None],
) -> BatchAgent:
    """Make the agent that groups behavior into sessions.

    Args:
        shoppers: The table of shoppers.
        partitions: The number of partitions of every topic.
        parameters: Session gap, bounds and half-lives.
        next_behavior: Predicts a shopper's next action.
        describe: Returns tags and category of a product, or None if it is unknown.
    """
    build = OutputBuilder("sessions", partitions)

    def process(batch: Batch) -> None:
        table = batch.table(shoppers)
        deltas = CoBehaviorOutputs(partitions, batch.records[-1], "sessions")
        for shopper, (events, cause) in _by_shopper(batch).items():
            key = shopper.encode()
            row = table.get(key) or ShopperRow()
            for start in range(0, len(events), _EVENTS_AT_ONCE):
                row = apply_events(row, events[start : start + _EVENTS_AT_ONCE], deltas.builder, parameters)
                deltas.flush(_PAIRS_AT_ONCE)
            table.put(key, row)
            update = shopper_updated(shopper, row, next_behavior, describe, parameters)
            if update is not None:
                batch.send_outputs([build.event(update, shopper, cause)])
        deltas.flush()
        batch.send_outputs(deltas.outputs)

    @batch_agent(USER_BEHAVIOR, tables=[shoppers])
    async def sessions(batches: Batches) -> None:
        async for batch in batches:
            # This is CPU-bound work: it runs off the event loop, which serves the other lanes.
            await asyncio.to_thread(process, batch)

    return sessions


def _by_shopper(batch: Batch) -> dict[str, tuple[list[UserBehavior], Record]]:
    """Decode a batch and dead-letter invalid records.

    Returns:
        The events of each shopper in offset order, and the record of the last one.
    """
    by_shopper: dict[str, tuple[list[UserBehavior], Record]] = {}
    for record in batch:
        try:
            event = decode_user_behavior(record.value, record.key, received_at=received_at(record))
        except InvalidEvent as error:
            batch.dead_letter(record, error, "decode")
            continue
        shopper = shopper_id(event)
        events = by_shopper[shopper][0] if shopper in by_shopper else []
        events.append(event)
        by_shopper[shopper] = events, record
    return by_shopper


def received_at(record: Record) -> datetime | None:
    """Return when the record was written, or None: old clients write -1, broken clients any number."""
    if not 0 <= record.timestamp <= _LATEST_MS:
        return None
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
