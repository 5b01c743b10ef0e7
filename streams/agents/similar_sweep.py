"""Searches again for the similar texts of products without behavior, after the catalog has changed.

A list was computed from the products that were listed then. A sweep goes through a lane's rows, some of them
at a time, and tells which products to search for again. It begins when the view of products has changed since
the last sweep began, so that every list is up to date one sweep after the catalog comes to rest. Nothing is
stored: a lane that opens sweeps once.
"""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from models.behavior.affinity_row import AffinityRow
from streams.state.tables import StateDamaged, Table

ROWS_AT_ONCE = 256
"""The number of rows that a part of a sweep looks at."""


@dataclass(slots=True)
class _Progress:
    """How far the sweep of one table is.

    Attributes:
        version: The version of the view at which the last sweep began; -1 before the first.
        after: Where the last part ended; None between two sweeps.
    """

    version: int = -1
    after: bytes | None = None


class SimilarSweep:
    """Finds rows to search for again. It remembers for each table where to continue."""

    def __init__(self) -> None:
        self._progress: WeakKeyDictionary[Table[AffinityRow], _Progress] = WeakKeyDictionary()

    def rows(self, table: Table[AffinityRow], version: int) -> dict[str, AffinityRow]:
        """Look at some more rows, and return those of products without behavior, by product.

        Args:
            table: The table of related products.
            version: The version of the view of products.

        Raises:
            StateDamaged: A row cannot be read or decoded.
        """
        progress = self._progress.setdefault(table, _Progress())
        if progress.after is None:
            if progress.version == version:
                return {}
            progress.version, progress.after = version, b""
        try:
            page, progress.after = table.store.page(progress.after, ROWS_AT_ONCE)
            # Decoded here and not by the table, so that rows of old do not displace cached ones.
            decoded = {
                key.decode(): table.spec.decode(data) for key, data in page if not key.startswith(b"\x00")
            }
        except Exception as error:
            raise StateDamaged(f"table {table.spec.name}: {error}") from error
        return {product: row for product, row in decoded.items() if not row.neighbors()}
