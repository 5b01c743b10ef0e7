"""Publishes shoppers again whose products were unknown when they acted, once the catalog has them.

A mark in the table of shoppers names the products of a shopper that had no labels when the shopper was
published. Marks commit with the shopper's row. Between two batches, when unknown products have come, a lane
looks at some marks, and publishes the shoppers of whom a product is known by now.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from models.behavior.sessions import ShopperRow
from models.behavior.taste_mean import ProductLabels
from schemas.events import ShopperUpdated
from streams.agents.erasures import ShopperTableRow
from streams.agents.marks import marked
from streams.agents.outputs import OutputBuilder
from streams.agents.unlabeled_mark import UnlabeledMark
from streams.lanes.agent import BatchAgent, Batches
from streams.lanes.batch import Batch
from streams.records import Output
from streams.state.tables import Table, Tables, TableSpec
from streams.topics import SHOPPER_UPDATED

MARKS_AT_ONCE = 256
"""The number of marks that a part of the work looks at."""
_MARK_KEY = b"\x00shelfstream.unlabeled\x00"
"""The first bytes of the key of a mark. No shopper's id has control characters."""


@dataclass(slots=True)
class _Progress:
    """The marks of one table.

    Attributes:
        marked: The shoppers with a mark. After a rollback there may be too many; the table decides.
        rollbacks: The table's rollbacks when the last walk began: what it published in them is lost.
        arrivals: The view's arrivals when the last walk through the marks began.
        waiting: The shoppers that this walk has not looked at, in descending order.
    """

    marked: set[str]
    rollbacks: int = 0
    arrivals: int = -1
    waiting: list[str] = field(default_factory=list)


class UnlabeledShoppers:
    """The marks of shoppers.

    Args:
        describe: Returns tags and category of a product, or None if it is unknown.
        arrivals: Returns how often products came into the view that were unknown.
        event_of: Returns the event of a shopper's row; None if there is nothing to publish.
        build: Builds the outputs.
    """

    def __init__(
        self,
        describe: Callable[[str], ProductLabels | None],
        arrivals: Callable[[], int],
        event_of: Callable[[str, ShopperRow], ShopperUpdated | None],
        build: OutputBuilder,
    ) -> None:
        self._describe = describe
        self._arrivals = arrivals
        self._event_of = event_of
        self._build = build
        self._progress: WeakKeyDictionary[Table[ShopperTableRow], _Progress] = WeakKeyDictionary()

    def update(self, table: Table[ShopperTableRow], shopper: str, row: ShopperRow | None) -> None:
        """Stage the mark of a shopper whose row is published, or remove it. None is a row that ends."""
        products = () if row is None else row.product_weights
        missing = [product for product in products if self._describe(product) is None]
        known = self._of(table).marked
        if not missing and shopper not in known:
            return
        key = _MARK_KEY + shopper.encode()
        mark = UnlabeledMark(missing) if missing else None
        if table.get(key) != mark:
            table.put(key, mark)
        known.add(shopper)

    def publish_again(self, table: Table[ShopperTableRow], partition: int) -> list[Output]:
        """Look at some more marks, and return the events of shoppers of whom a product is known by now."""
        progress, arrivals = self._of(table), self._arrivals()
        if progress.rollbacks != table.rollbacks:
            progress.rollbacks, progress.arrivals, progress.waiting = table.rollbacks, -1, []
        if not progress.waiting:
            if progress.arrivals == arrivals:
                return []
            progress.arrivals, progress.waiting = arrivals, sorted(progress.marked, reverse=True)
        outputs = []
        for _ in range(min(MARKS_AT_ONCE, len(progress.waiting))):
            shopper = progress.waiting.pop()
            mark = table.get(_MARK_KEY + shopper.encode())
            if not isinstance(mark, UnlabeledMark):
                progress.marked.discard(shopper)
                continue
            if all(self._describe(product) is None for product in mark.products):
                continue
            row = table.get(shopper.encode())
            event = self._event_of(shopper, row) if isinstance(row, ShopperRow) else None
            self.update(table, shopper, row if isinstance(row, ShopperRow) and event is not None else None)
            if event is not None:
                outputs.append(self._build.again(event, shopper, table, partition))
        return outputs

    def _of(self, table: Table[ShopperTableRow]) -> _Progress:
        progress = self._progress.get(table)
        if progress is None:
            shoppers = {name.decode() for name in marked(table, _MARK_KEY)}
            progress = self._progress[table] = _Progress(shoppers)
        return progress


def with_unlabeled(
    sessions: BatchAgent, shoppers: TableSpec[ShopperTableRow], unlabeled: UnlabeledShoppers
) -> BatchAgent:
    """Return the agent `sessions` with marks: each batch stages those of the shoppers that it publishes.

    Args:
        sessions: The agent.
        shoppers: Its table of shoppers.
        unlabeled: The marks.
    """

    def mark(batch: Batch) -> None:
        table = batch.table(shoppers)
        for output in batch.outputs:
            if output.topic == SHOPPER_UPDATED and output.key is not None:
                row = None if output.value is None else table.get(output.key)
                unlabeled.update(table, output.key.decode(), row if isinstance(row, ShopperRow) else None)

    def catch_up(tables: Tables) -> list[Output]:
        return unlabeled.publish_again(tables.of(shoppers), tables.partition)

    async def function(batches: Batches) -> None:
        await sessions.function(_MarkedBatches(mark))

    return replace(sessions, function=function, catch_up=catch_up)


class _MarkedBatches(Batches):
    """The batches of a lane. Before the next one is asked for, the marks of the current one are staged.

    Args:
        mark: Stages the marks of a batch.
    """

    def __init__(self, mark: Callable[[Batch], None]) -> None:
        self._mark = mark
        self._batch: Batch | None = None

    async def __anext__(self) -> Batch:
        if self._batch is not None:
            await asyncio.to_thread(self._mark, self._batch)
        self._batch = await super().__anext__()
        return self._batch
