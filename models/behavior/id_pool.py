"""Small numbers for the product ids in affinity rows, so that rows are arrays.

Rows of one process share a pool: an id takes its memory once, not once per row. A pool is replaced by an
empty one when it is large, because rows that are no longer in memory leave their ids behind. Rows move to the
new pool when they change next.
"""

from collections.abc import Iterable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

MOST_IDS = 2_000_000
"""The number of ids after which a new pool begins."""


class IdPool(dict[str, int]):
    """Maps ids to numbers in order of first use. Threads may share it.

    Attributes:
        names: The id of each number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._lock = Lock()

    def __missing__(self, name: str) -> int:
        with self._lock:
            number = self.get(name)
            if number is None:
                number = len(self.names)
                self.names.append(name)
                self[name] = number
        return number

    def numbers(self, names: Iterable[str], count: int) -> NDArray[np.int64]:
        """Return the numbers of `count` ids; int64, shape (count,)."""
        return np.fromiter(map(self.__getitem__, names), np.int64, count)


_current = IdPool()


def current_pool() -> IdPool:
    """Return the pool for new rows."""
    global _current
    if len(_current.names) > MOST_IDS:
        _current = IdPool()
    return _current
