"""An exponentially decayed rate. Pure: the time is an argument."""

import math


class Rate:
    """An exponentially decayed rate of events per second.

    Args:
        half_life_s: Seconds after which an event counts half.
    """

    def __init__(self, half_life_s: float = 5.0) -> None:
        self._decay = math.log(2) / half_life_s
        self._weight = 0.0
        self._since: float | None = None
        self._at = 0.0

    def add(self, count: int, now: float) -> None:
        """Count events.

        Args:
            count: Number of events.
            now: Current time in monotonic seconds.
        """
        if self._since is None:
            self._since = self._at = now
        self._weight = self._weight * math.exp(-self._decay * (now - self._at)) + count
        self._at = now

    def per_second(self, now: float) -> float:
        """Return the rate at `now`, in monotonic seconds. 0 before the first event."""
        if self._since is None:
            return 0.0
        # The weight that 1 event per second would have by now. The time is at least one second, because a
        # shorter time would exaggerate the rate of the first batch.
        steady = (1 - math.exp(-self._decay * max(now - self._since, 1.0))) / self._decay
        return self._weight * math.exp(-self._decay * (now - self._at)) / steady
