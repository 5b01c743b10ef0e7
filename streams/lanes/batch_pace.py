"""How many records a batch may have, so that processing it takes a limited time. Pure."""

import math

_FIRST = 256
_GROWTH = 4


class BatchPace:
    """Predicts the time of a batch from the seconds per record of earlier ones.

    The seconds per record include what does not depend on the records, such as the wait for a model that
    other lanes use too. So the prediction is rather too long than too short.

    Args:
        most: Records of a batch at most.
        limit_s: Seconds that processing a batch may take, as predicted. `math.inf` for no limit.
    """

    def __init__(self, most: int, limit_s: float) -> None:
        self._most = most
        self._limit_s = limit_s
        self._largest = 0
        self._record_s: float | None = None

    @property
    def records(self) -> int:
        """The number of records that the next batch may have; at least one."""
        if math.isinf(self._limit_s):
            return self._most
        if self._record_s is None:
            return min(self._most, _FIRST)
        grown = max(_FIRST, _GROWTH * self._largest)
        predicted = self._limit_s / self._record_s if self._record_s > 0 else math.inf
        return max(1, int(min(self._most, grown, predicted)))

    def observe(self, records: int, seconds: float) -> None:
        """Learn from a processed batch. A slow one counts at once, a fast one by half.

        Args:
            records: Its number of records, at least one.
            seconds: Seconds that it took.
        """
        record_s = seconds / records
        if self._record_s is None or record_s > self._record_s:
            self._record_s = record_s
        else:
            self._record_s = (self._record_s + record_s) / 2
        self._largest = max(self._largest, records)
