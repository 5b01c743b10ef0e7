"""A limit on the records per second that a replay or a redrive writes."""

import time

from streams.backoff import TokenBucket
from streams.replay.transactional_copy import BATCH_RECORDS


class RateLimiter:
    """Sizes batches and sleeps before each of them.

    Args:
        rate: Most records per second; None for no limit.

    Attributes:
        batch_records: Most records of a batch: those of a tenth of a second, at least 1.
    """

    def __init__(self, rate: float | None) -> None:
        self.batch_records = BATCH_RECORDS if rate is None else max(1, min(BATCH_RECORDS, int(rate / 10)))
        self._bucket = None if rate is None else TokenBucket(self.batch_records, rate, time.monotonic())

    def wait(self, records: int) -> None:
        """Sleep until `records` more records may be written."""
        if self._bucket is not None:
            time.sleep(self._bucket.spend(records, time.monotonic()))
