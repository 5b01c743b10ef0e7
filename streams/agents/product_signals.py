"""Counts sessions of products, and sends the tags that follow from them to the agent `enrich`.

The agent `affinity` counts in the transactions of its batches, in a table of its own. Between two batches,
once an hour of event time, a lane goes through its rows, some at a time, and gives or takes tags. A change is
a record of the compacted topic product-signals. Ranks within a category are those among the lanes of this
worker, which have a random part of each category's products; they are in memory, and filled by a first walk.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from models.behavior.category_ranks import CategoryRanks
from models.behavior.deltas import RELATIONS, REMOVAL, Deltas
from models.behavior.signals import Partner, SignalCounts, SignalParameters
from schemas.events import Relation
from streams.agents.outputs import OutputBuilder, changelog_end
from streams.agents.product_view import ProductView
from streams.agents.signal_tags import encode_signals
from streams.records import MemoryRecord, Output, Record
from streams.state.tables import StateDamaged, Table, TableSpec
from streams.topics import PRODUCT_SIGNALS

ROWS_AT_ONCE = 256
_EVERY_S = 3600.0
_EVERYTHING = b"\x00shelfstream.everything"
"""The key of the numbers of all products of a lane. No product has it."""


def signals_table(changelog: str) -> TableSpec[SignalCounts]:
    """Describe the table of counts. Its rows are kept in the topic `changelog`."""
    return TableSpec("signals", changelog, SignalCounts.to_bytes, SignalCounts.from_bytes)


@dataclass(slots=True)
class _Progress:
    """How far the walk through one table is.

    Attributes:
        rollbacks: The table's rollbacks when the walk began: tags that were given in them are lost.
        walked_at: The event time at which the last walk began.
        after: Where the last part ended; None between two walks.
        ranked: Whether a walk has filled in the ranks of all rows.
    """

    rollbacks: int
    walked_at: float = float("-inf")
    after: bytes | None = None
    ranked: bool = False


class ProductSignals:
    """Counts and tags. Threads of several lanes may use it at the same time.

    Args:
        spec: The table of counts.
        view: The view of products: categories, and shops.
        partitions: The number of partitions of every topic.
        parameters: The bounds of the tags.
    """

    def __init__(
        self,
        spec: TableSpec[SignalCounts],
        view: ProductView,
        partitions: int,
        parameters: SignalParameters | None = None,
    ) -> None:
        self.spec = spec
        self._view = view
        self._parameters = parameters or SignalParameters()
        self._build = OutputBuilder("affinity", partitions)
        self._ranks = CategoryRanks()
        self._progress: WeakKeyDictionary[Table[SignalCounts], _Progress] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def count(self, deltas: Deltas, table: Table[SignalCounts]) -> None:
        """Count the sessions of products: deltas whose neighbor is the product itself."""
        own = deltas.take((deltas.product == deltas.neighbor) & (deltas.code != REMOVAL))
        if not len(own):
            return
        parameters, now = self._parameters, float(own.time.max())
        age = (own.time - now) / 86_400.0
        fast = own.weight * 2.0 ** (age / parameters.fast_days)
        slow = own.weight * 2.0 ** (age / parameters.slow_days)
        bought = slow * (own.code == RELATIONS.index(Relation.BOUGHT))
        products, places = np.unique(own.product, return_inverse=True)
        sums = np.zeros((3, len(products)))
        for row, numbers in zip(sums, (fast, slow, bought), strict=True):
            np.add.at(row, places, numbers)
        keys = [deltas.ids[number].encode() for number in products.tolist()]
        for key, added in zip([*keys, _EVERYTHING], [*sums.T, sums.sum(axis=1)], strict=True):
            counts = SignalCounts(now, float(added[0]), float(added[1]), float(added[2]))
            table.put(key, (table.get(key) or SignalCounts()).plus(counts, parameters))

    def withdraw(self, product: str, table: Table[SignalCounts], cause: Record) -> list[Output]:
        """Forget a withdrawn product."""
        row = table.get(product.encode())
        if row is None:
            return []
        table.put(product.encode(), None)
        with self._lock:
            self._ranks.put(product, None, None)
        return [self._build.tombstone(PRODUCT_SIGNALS, product, cause)] if row.tags else []

    def decide(
        self,
        table: Table[SignalCounts],
        partition: int,
        partners: Callable[[str], Mapping[str, Partner] | None] = lambda _: None,
    ) -> list[Output]:
        """Look at some more rows, and return the changes of their tags.

        Args:
            table: The table of counts.
            partition: The lane's partition.
            partners: Returns the products that were most often bought with a product, by the id that the shop
                gave them; None if that is not to be told.

        Raises:
            StateDamaged: A row cannot be read or decoded.
        """
        everything = table.get(_EVERYTHING)
        if everything is None:
            return []
        with self._lock:
            progress = self._progress.get(table)
            if progress is None or progress.rollbacks != table.rollbacks:
                progress = self._progress[table] = _Progress(table.rollbacks)
            outputs = []
            for product, row in self._walk(table, progress, everything.time).items():
                tagged = self._tagged(product, row, everything, partners, may_tag=progress.ranked)
                if tagged is not row:
                    table.put(product.encode(), tagged)
                    cause = MemoryRecord(table.spec.changelog, partition, changelog_end(table))
                    value = encode_signals(tagged.tags)
                    outputs.append(self._build.record(PRODUCT_SIGNALS, product, value, cause))
            if progress.after is None and not progress.ranked:
                progress.ranked, progress.walked_at = True, float("-inf")
        return outputs

    def _walk(self, table: Table[SignalCounts], progress: _Progress, now: float) -> dict[str, SignalCounts]:
        """Return the next rows of a walk, if there is one."""
        if progress.after is None:
            if now < progress.walked_at + _EVERY_S:
                return {}
            progress.walked_at, progress.after = now, b""
        try:
            page, progress.after = table.store.page(progress.after, ROWS_AT_ONCE)
            return {key.decode(): table.spec.decode(data) for key, data in page if key[:1] != b"\x00"}
        except Exception as error:
            raise StateDamaged(f"table {table.spec.name}: {error}") from error

    def _tagged(
        self,
        product: str,
        row: SignalCounts,
        everything: SignalCounts,
        partners: Callable[[str], Mapping[str, Partner] | None],
        *,
        may_tag: bool,
    ) -> SignalCounts:
        labels = self._view.describe(product)
        category = None
        if labels is not None and labels.category is not None:
            category = f"{self._view.shop_of(product) or ''}\n{labels.category}"
        self._ranks.put(product, category, row.logarithm(self._parameters))
        if labels is None or not may_tag:
            return row
        rank = self._ranks.rank(product)
        return row.tagged(everything.time, everything, rank, self._parameters, partners(product))
