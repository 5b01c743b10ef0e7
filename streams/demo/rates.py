"""Counts by second, for rates and sparklines, and identities that were seen before."""

from collections import OrderedDict, deque


class Rhythm:
    """How many records came in each second of the recent past.

    Args:
        seconds: how far back it remembers, in whole seconds.
    """

    def __init__(self, seconds: int = 120) -> None:
        self.total = 0
        self._counts: deque[tuple[int, int]] = deque(maxlen=seconds)

    def add(self, count: int, now: float) -> None:
        """Count `count` records at `now`, in seconds of a clock that never goes back."""
        self.total += count
        second = int(now)
        if self._counts and self._counts[-1][0] == second:
            count += self._counts.pop()[1]
        self._counts.append((second, count))

    def last(self, seconds: int, now: float) -> list[int]:
        """The counts of the last whole `seconds` seconds before that of `now`, oldest first."""
        end = int(now)
        counts = dict(self._counts)
        return [counts.get(second, 0) for second in range(end - seconds, end)]

    def per_second(self, now: float, over: int = 3) -> float:
        """Records per second, over the last `over` whole seconds."""
        return sum(self.last(over, now)) / over


class Seen:
    """The latest identities, so that a record which is read twice counts once.

    Args:
        bound: how many are remembered.
    """

    def __init__(self, bound: int = 100_000) -> None:
        self._bound = bound
        self._ids: OrderedDict[bytes, None] = OrderedDict()

    def is_new(self, identity: bytes) -> bool:
        """Whether `identity` was not given before, among the latest `bound` different ones."""
        if identity in self._ids:
            return False
        self._ids[identity] = None
        if len(self._ids) > self._bound:
            self._ids.popitem(last=False)
        return True
