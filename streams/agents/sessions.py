"""The sessions agent: shoppers' behaviour in, co-behaviour deltas and what each shopper likes out."""

import asyncio
from collections.abc import Callable, Sequence
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
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.outputs import OutputMaker
from streams.records import Output, Record
from streams.state.tables import Table, Tables, TableSpec
from streams.topics import USER_BEHAVIOR

# The last day of the year 9998: a day may be added to it.
_LATEST_MS = 253_370_678_400_000
# A batch of four thousand events may be one crawler's, each of which meets a thousand products: 29 bytes a
# delta while they are collected, and as much again while they are written.
_EVENTS_AT_ONCE = 256
_PAIRS_AT_ONCE = 250_000


def shoppers_table(changelog: str) -> TableSpec[ShopperRow]:
    """The table of shoppers' rows, kept in the topic `changelog`."""
    return TableSpec("shoppers", changelog, ShopperRow.to_bytes, ShopperRow.from_bytes)


class SessionsProcessor:
    """Keeps a row per shopper and tells what happened together.

    Args:
        table: the shoppers' table.
        partitions: the number of partitions of every topic.
        parameters: gap, bounds and half-lives.
        next_behavior: the model of what comes next.
        describe: what is known of a product now.
        dead_letter_builder: makes dead letters.
    """

    name = "sessions"
    topics = (USER_BEHAVIOR,)

    def __init__(
        self,
        table: TableSpec[ShopperRow],
        partitions: int,
        parameters: BehaviorParameters,
        next_behavior: NextBehavior,
        describe: Callable[[str], ProductLabels | None],
        dead_letter_builder: DeadLetterBuilder,
    ) -> None:
        self._table = table
        self._partitions = partitions
        self._parameters = parameters
        self._next_behavior = next_behavior
        self._describe = describe
        self._dead_letter = dead_letter_builder
        self._make = OutputMaker(self.name, partitions)

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """See `Processor.process`. Numbers are crunched off the event loop: it has other lanes to serve."""
        return await asyncio.to_thread(self._process, records, tables.of(self._table))

    def _process(self, records: Sequence[Record], table: Table[ShopperRow]) -> list[Output]:
        outputs: list[Output] = []
        by_shopper: dict[str, list[UserBehavior]] = {}
        causes: dict[str, Record] = {}
        for record in records:
            try:
                event = decode_user_behavior(record.value, record.key, received_at=received_at(record))
            except InvalidEvent as error:
                outputs.append(self._dead_letter(record, error, "decode"))
                continue
            shopper = shopper_id(event)
            by_shopper.setdefault(shopper, []).append(event)
            causes[shopper] = record
        pairs = CoBehaviorOutputs(self._partitions, records[-1], self.name)
        for shopper, events in by_shopper.items():
            key = shopper.encode()
            row = table.get(key) or ShopperRow()
            for start in range(0, len(events), _EVENTS_AT_ONCE):
                part = events[start : start + _EVENTS_AT_ONCE]
                row = apply_events(row, part, pairs.builder, self._parameters)
                pairs.flush(_PAIRS_AT_ONCE)
            table.put(key, row)
            update = shopper_updated(shopper, row, self._next_behavior, self._describe, self._parameters)
            if update is not None:
                outputs.append(self._make.event(update, shopper, causes[shopper]))
        pairs.flush()
        return outputs + pairs.outputs


def received_at(record: Record) -> datetime | None:
    """When the record was written; None where it does not say: old clients write -1, broken ones anything."""
    if not 0 <= record.timestamp <= _LATEST_MS:
        return None
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
