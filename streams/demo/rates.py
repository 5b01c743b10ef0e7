"""Record counts per second, and recently seen ids."""

from collections import OrderedDict, deque


class RateCounter:
    """Counts records per second.

    Args:
        seconds: Number of past seconds to keep.

    Attributes:
        total: Number of all records.
    """

    def __init__(self, seconds: int = 120) -> None:
        self.total = 0
        self._counts: deque[tuple[int, int]] = deque(maxlen=seconds)

    def add(self, count: int, now: float) -> None:
        """Add `count` records at the time `now`, in seconds of a monotonic clock."""
        self.total += count
        second = int(now)
        if self._counts and self._counts[-1][0] == second:
            count += self._counts.pop()[1]
        self._counts.append((second, count))

    def last(self, seconds: int, now: float) -> list[int]:
        """Return the counts of the last `seconds` whole seconds before `now`, oldest first."""
        end = int(now)
        counts = dict(self._counts)
        return [counts.get(second, 0) for second in range(end - seconds, end)]

    def per_second(self, now: float, over: int = 3) -> float:
        """Return the mean records per second over the last `over` whole seconds before `now`."""
        return sum(self.last(over, now)) / over


class RecentIds:
    """The latest ids, to count a record that is read twice once.

    Args:
        bound: Number of ids to keep.
    """

    def __init__(self, bound: int = 100_000) -> None:
        self._bound = bound
        self._ids: OrderedDict[bytes, None] = OrderedDict()

    def add(self, identity: bytes) -> bool:
        """Add an id. Return whether it is not among the latest `bound` ids."""
        if identity in self._ids:
            return False
        self._ids[identity] = None
        if len(self._ids) > self._bound:
            self._ids.popitem(last=False)
        return True
