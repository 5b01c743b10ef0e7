"""Lets a product be published once in an interval at most, and remembers which ones wait.

A product is looked at when a batch changes its row, and published if it differs enough. After that it is left
alone for the interval. If a batch changes it meanwhile, a mark is staged with its row, and the product is
looked at again when the interval has passed. Marks commit with the rows, so that no end of a worker forgets
one: a lane that opens looks at all marked products. Memory holds hints only, also of batches that were rolled
back: the table decides.

A mark is an empty row with the time of the record that left it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from weakref import WeakKeyDictionary

from models.behavior.affinity_row import AffinityRow
from streams.agents.marks import marked
from streams.state.tables import Table

LOOKS_AT_ONCE = 1024
"""The number of waiting products that one transaction looks at."""
_MARK_KEY = b"\x00shelfstream.unpublished\x00"
"""The first bytes of the key of a mark. No product's id has control characters."""


@dataclass(slots=True)
class _Progress:
    """The products of one table.

    Attributes:
        marked: The products with a mark, and some whose mark is gone.
        looked_at: When each product was looked at within the interval; in the order of the times.
        due: Marked products that wait no longer, in order.
    """

    marked: set[str]
    looked_at: dict[str, float] = field(default_factory=dict)
    due: dict[str, None] = field(default_factory=dict)


class PublicationDebounce:
    """Decides which products of a lane are looked at. Threads of several lanes may use it at the same time.

    Args:
        interval_s: Seconds between two looks at a product at least; 0 looks at each change.
        clock: Returns a time in seconds that never goes back.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._progress: WeakKeyDictionary[Table[AffinityRow], _Progress] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def look(self, table: Table[AffinityRow], product: str) -> bool:
        """Return whether a changed product is to be looked at now, and take note of it."""
        now = self._clock()
        progress = self._of(table, now)
        if product in progress.looked_at:
            return False
        progress.looked_at[product] = now
        key = _key(product)
        if product in progress.marked and table.get(key) is not None:
            table.put(key, None)
        return True

    def put_off(self, table: Table[AffinityRow], product: str, changed_at: float) -> None:
        """Stage the mark of a product that `look` does not look at.

        Args:
            table: The lane's table.
            product: The product.
            changed_at: The time of the record that changed it, in seconds since 1970.
        """
        key = _key(product)
        if table.get(key) is None:
            table.put(key, AffinityRow.mark(changed_at))
        with self._lock:
            progress = self._progress[table]
        progress.marked.add(product)

    def take(self, table: Table[AffinityRow]) -> dict[str, float]:
        """Take some products whose interval has passed, and stage that they have no mark.

        Returns:
            The time of each product's mark, in seconds since 1970.
        """
        now = self._clock()
        progress = self._of(table, now)
        taken: dict[str, float] = {}
        while progress.due and len(taken) < LOOKS_AT_ONCE:
            product = next(iter(progress.due))
            del progress.due[product]
            if product in progress.looked_at:
                continue  # It becomes due again if it has a mark.
            key = _key(product)
            mark = table.get(key)
            if mark is None:
                progress.marked.discard(product)
                continue
            table.put(key, None)
            # It stays among the marked ones. If this change is rolled back, it is due after another interval.
            progress.looked_at[product] = now
            taken[product] = mark.as_of
        return taken

    def _of(self, table: Table[AffinityRow], now: float) -> _Progress:
        with self._lock:
            progress = self._progress.get(table)
            if progress is None:
                waiting = {name.decode() for name in marked(table, _MARK_KEY)}
                progress = self._progress[table] = _Progress(waiting, due=dict.fromkeys(sorted(waiting)))
        looked_at = progress.looked_at
        while looked_at:
            product = next(iter(looked_at))
            if now - looked_at[product] < self._interval_s:
                break
            del looked_at[product]
            if product in progress.marked:
                progress.due[product] = None
        return progress


def _key(product: str) -> bytes:
    return _MARK_KEY + product.encode()
