"""Finds out which products without behavior to search for again, after the catalog has changed.

A list was computed from the products that were listed then. A product that comes, goes or gets another text
may change the lists of others: the view of products tells which. A lane searches again for those of its own,
some at a time. Where more has changed than the view can tell, and when the lane opens, it goes through all
its rows. Nothing is stored.
"""

import threading
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from models.behavior.affinity_row import AffinityRow
from schemas.keys import partition_for
from streams.agents.product_view import ProductView
from streams.state.tables import StateDamaged, Table

ROWS_AT_ONCE = 256
"""The number of rows that a part of the work looks at, and of changed texts that it asks the view for."""


@dataclass(slots=True)
class _Progress:
    """What is to be done for one table.

    Attributes:
        partition: The table's partition.
        rollbacks: The table's rollbacks when the work began: what was published in them is lost.
        floods: The view's floods when the last walk through all rows began; -1 before the first.
        after: Where the last part of the walk ended; None between two walks.
        affected: Products whose lists may be others since a text changed.
    """

    partition: int
    rollbacks: int
    floods: int = -1
    after: bytes | None = None
    affected: set[str] = field(default_factory=set)


class SimilarSweep:
    """Finds rows to search for again. Threads of several lanes may use it at the same time.

    Args:
        view: The view of products.
        partitions: The number of partitions of every topic.
        min_cosine: The least cosine of a neighbor.
    """

    def __init__(self, view: ProductView, partitions: int, min_cosine: float) -> None:
        self._view = view
        self._partitions = partitions
        self._min_cosine = min_cosine
        self._progress: WeakKeyDictionary[Table[AffinityRow], _Progress] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def rows(self, table: Table[AffinityRow], partition: int) -> dict[str, AffinityRow]:
        """Look at some more rows, and return those of products without behavior, by product.

        Args:
            table: The table of related products.
            partition: Its partition.

        Raises:
            StateDamaged: A row cannot be read or decoded.
        """
        with self._lock:
            progress = self._progress.get(table)
            if progress is None or progress.rollbacks != table.rollbacks:
                progress = self._progress[table] = _Progress(partition, table.rollbacks)
            self._hand_out()
            rows = self._walk(table, progress)
            progress.affected.difference_update(rows)
            left = min(ROWS_AT_ONCE - len(rows), len(progress.affected))
            chosen = [progress.affected.pop() for _ in range(left)]
        rows |= {product: row for product in chosen if (row := table.get(product.encode())) is not None}
        return {product: row for product, row in rows.items() if not row.has_neighbors()}

    def _hand_out(self) -> None:
        """Tell the lanes of their products whose lists may be others."""
        lanes: dict[int, list[set[str]]] = {}
        for progress in self._progress.values():
            lanes.setdefault(progress.partition, []).append(progress.affected)
        for product in self._view.affected(ROWS_AT_ONCE, self._min_cosine):
            for affected in lanes.get(partition_for(product.encode(), self._partitions), ()):
                affected.add(product)

    def _walk(self, table: Table[AffinityRow], progress: _Progress) -> dict[str, AffinityRow]:
        """Return the next rows of a walk through all, if there is one."""
        floods = self._view.floods
        if progress.after is None:
            if progress.floods == floods:
                return {}
            progress.floods, progress.after = floods, b""
        try:
            page, progress.after = table.store.page(progress.after, ROWS_AT_ONCE)
            # Decoded here and not by the table, so that rows of old do not displace cached ones.
            return {
                key.decode(): table.spec.decode(data) for key, data in page if not key.startswith(b"\x00")
            }
        except Exception as error:
            raise StateDamaged(f"table {table.spec.name}: {error}") from error
