"""The agent `sessions`: user behavior in, co-behavior deltas and shopper updates out."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import structlog

from models.behavior.next_behavior import NextBehavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.related_lists import RelatedList
from models.behavior.shopper import shopper_updated
from models.behavior.shopper_row import ShopperRow
from models.behavior.taste_mean import NO_MEAN, ProductLabels, TasteMean
from schemas.codec import decode_behavior
from schemas.erasure import decode_erasure, is_erasure
from schemas.errors import InvalidEvent
from schemas.events import ShopperUpdated, UserBehavior
from schemas.keys import shopper_id
from schemas.product_identity import ProductIdentity
from schemas.tolerant_reader import field_name
from streams.agents.co_behavior import CoBehaviorOutputs
from streams.agents.counted_offsets import stage_counted, stage_none
from streams.agents.erasures import ErasedShoppers, ShopperTableRow
from streams.agents.outputs import OutputBuilder
from streams.agents.shopper_moves import MovedEvent, decode_message
from streams.agents.shopper_names import ShopperNames
from streams.agents.shopper_retention import Retention, RetentionSweep
from streams.agents.shopper_update import Pending, ShopperUpdate, UpdateContext, received_at
from streams.agents.totals import AgentTotals
from streams.lanes.agent import BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.provenance import at_its_position
from streams.records import Output, Record
from streams.state.tables import Table, TableSpec
from streams.topics import SHOPPER_REPARTITION, SHOPPER_UPDATED, USER_BEHAVIOR

log = structlog.get_logger()

# Decoding takes 1 µs, and finding misspelled names half as much again, so that only some records are checked.
_NAMES_CHECKED_EVERY = 16
_COUNTED_BEFORE = "replayed events were counted before"


def sessions_agent(
    shoppers: TableSpec[ShopperTableRow],
    partitions: int,
    parameters: BehaviorParameters,
    next_behavior: NextBehavior,
    describe: Callable[[str], ProductLabels | None],
    retention: Retention | None = None,
    identity: ProductIdentity | None = None,
    totals: AgentTotals | None = None,
    moves: bool = False,
    names: ShopperNames | None = None,
    related_to: Callable[[str], RelatedList | None] = lambda _: None,
    mean: Callable[[Iterable[str]], TasteMean] = lambda _: NO_MEAN,
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
        moves: Whether there is the topic shopper-repartition. Without it guests who log in stay guests, and
            records on another partition than that of their key have rows there.
        names: Gives shoppers their names; None is their ids.
        related_to: Returns the related products of a product, or None if none are known.
        mean: Returns the taste of the average shopper of the shops of some products.
    """
    rows = _Rows(
        shoppers,
        partitions,
        parameters,
        retention or Retention(),
        identity or ProductIdentity(),
        totals or AgentTotals(),
        moves,
        names or ShopperNames(),
        lambda shopper, row: shopper_updated(
            shopper, row, next_behavior, describe, parameters, related_to, mean(row.product_weights)
        ),
    )
    # What shoppers did elsewhere has priority: it must not wait behind a large import.
    return _agent(rows, shoppers, (SHOPPER_REPARTITION, USER_BEHAVIOR) if moves else (USER_BEHAVIOR,))


def _agent(rows: "_Rows", shoppers: TableSpec[ShopperTableRow], topics: tuple[str, ...]) -> BatchAgent:
    """Make the loop over batches."""

    @batch_agent(*topics, tables=[shoppers])
    async def sessions(batches: Batches) -> None:
        erased: ErasedShoppers | None = None
        async for batch in batches:
            if erased is None:
                erased = ErasedShoppers(batch.table(shoppers))
            # This is CPU-bound work: it runs off the event loop, which serves the other lanes.
            await asyncio.to_thread(rows.process, batch, erased)

    return sessions


class _Rows:
    """Changes rows of shoppers, and publishes them."""

    def __init__(
        self,
        shoppers: TableSpec[ShopperTableRow],
        partitions: int,
        parameters: BehaviorParameters,
        retention: Retention,
        identity: ProductIdentity,
        totals: AgentTotals,
        moves: bool,
        names: ShopperNames,
        event_of: Callable[[str, ShopperRow], ShopperUpdated | None],
    ) -> None:
        self._shoppers = shoppers
        self._partitions = partitions
        self._parameters = parameters
        self._identity, self._totals = identity, totals
        self._moves, self._names = moves, names
        self._event_of = event_of
        self._sweep = RetentionSweep(retention)
        self._build = OutputBuilder("sessions", partitions)

    def process(self, batch: Batch, erased: ErasedShoppers) -> None:
        """Process a batch of events, or of messages of other lanes."""
        table = batch.table(self._shoppers)
        # The ids of pairs derive from the position that is read: the origin may have caused pairs already.
        deltas = CoBehaviorOutputs(self._partitions, at_its_position(batch.records[-1]), "sessions")
        context = UpdateContext(
            batch,
            table,
            deltas,
            erased,
            self._parameters,
            self._partitions,
            self._moves,
            self._totals.without_pairs,
        )
        if batch.topic == SHOPPER_REPARTITION:
            stage_none(table)
            by_shopper = _messages(batch, table, erased)
        else:
            by_shopper = self._by_shopper(batch, table, erased)
        for shopper, pending in by_shopper.items():
            update = ShopperUpdate(shopper, context)
            if (request := pending.erased_by) is not None:
                update.forget(request)
                outputs = _forget(table, shopper.encode(), batch.partition, self._build, request)
                batch.send_outputs(outputs)
            update.apply(pending)
            batch.send_outputs(self._publish(shopper, update, pending))
        deltas.flush()
        batch.send_outputs(deltas.outputs)
        _end_rows(batch, table, by_shopper, self._sweep, self._build)

    def _publish(self, shopper: str, update: ShopperUpdate, pending: Pending) -> list[Output]:
        """Return the event of a changed row, or the tombstone of an emptied one."""
        if not update.changed or update.is_moved or not pending.steps:
            return []
        event = self._event_of(shopper, update.row)
        if event is not None:
            return [self._build.event(event, shopper, pending.cause)]
        if not update.had_behavior:
            return []
        return [self._build.tombstone(SHOPPER_UPDATED, shopper, pending.cause)]

    def _by_shopper(
        self, batch: Batch, table: Table[ShopperTableRow], erased: ErasedShoppers
    ) -> dict[str, Pending]:
        """Decode a batch, dead-letter invalid records, and leave out what was counted or erased before.

        Returns:
            What the batch has of each shopper.
        """
        by_shopper: dict[str, Pending] = {}
        counted = stage_counted(table, batch.records)
        counts: Counter[str] = Counter()
        for record in batch:
            try:
                if is_erasure(record.value, record.headers):
                    found = self._erased_by(record, table, erased)
                    counts["shoppers erased"] += bool(found)
                    by_shopper.update(found)
                    continue
                if counted.has_original(record):
                    counts[_COUNTED_BEFORE] += 1
                    continue
                event, left_out = decode_behavior(
                    record.value, record.key, received_at=received_at(record), headers=record.headers
                )
            except InvalidEvent as error:
                if record.key is None or not self._covers(erased, table, _text(record.key), record, None):
                    batch.dead_letter(record, error, "decode")
                continue
            if left_out or record.offset % _NAMES_CHECKED_EVERY == 0:
                self._totals.count_fields(UserBehavior, map(field_name, left_out), record.value)
            if self._covers(erased, table, shopper_id(event), record, event):
                counts["events of erased shoppers are ignored"] += 1
                continue
            if self._moves:
                batch.send_outputs(self._names.requests(record, event))
            named, event = self._names.named(record, event)
            pending = by_shopper.get(shopper_id(event))
            if pending is None:
                pending = by_shopper[shopper_id(event)] = Pending(named)
            pending.steps.append((named, self._identity.behavior(event)))
            pending.cause = named
        self._totals.replayed += counts[_COUNTED_BEFORE]
        for message, count in (+counts).items():
            log.info(message, count=count)
        return by_shopper

    def _erased_by(
        self, record: Record, table: Table[ShopperTableRow], erased: ErasedShoppers
    ) -> dict[str, Pending]:
        """Stage the marks of a request, and return what it erases: a shopper's rows under all names."""
        request = decode_erasure(record.key, record.headers, received_at(record))
        names = self._names.names(request.shopper)
        return {
            name: Pending(record, erased_by=record)
            for name in names
            if erased.erase(table, request._replace(shopper=name), record)
        }

    def _covers(
        self,
        erased: ErasedShoppers,
        table: Table[ShopperTableRow],
        shopper: str,
        record: Record,
        event: UserBehavior | None,
    ) -> bool:
        """Return whether a shopper was erased after a record, under any name."""
        return any(erased.cover(table, name, record, event) for name in self._names.names(shopper))


def _end_rows(
    batch: Batch,
    table: Table[ShopperTableRow],
    by_shopper: dict[str, Pending],
    sweep: RetentionSweep,
    build: OutputBuilder,
) -> None:
    """Delete some rows beyond the retention, counted back from the latest event of the batch."""
    if not sweep.active:
        return
    times = [time for pending in by_shopper.values() for time in pending.event_times()]
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


def _messages(batch: Batch, table: Table[ShopperTableRow], erased: ErasedShoppers) -> dict[str, Pending]:
    """Decode messages of other lanes, and leave out what erased shoppers did before.

    Returns:
        What the batch has of each shopper.
    """
    by_shopper: dict[str, Pending] = {}
    for record in batch:
        try:
            shopper, message = decode_message(record)
        except InvalidEvent as error:
            batch.dead_letter(record, error, "decode")
            continue
        if isinstance(message, MovedEvent) and erased.cover(table, shopper, record, message.event):
            continue
        pending = by_shopper.get(shopper)
        if pending is None:
            pending = by_shopper[shopper] = Pending(record)
        pending.steps.append((record, message))
        pending.cause = record
    return by_shopper


def _text(key: bytes) -> str:
    return key.decode("utf-8", "replace")
