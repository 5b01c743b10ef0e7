"""Finds the last record of some keys in a topic whose records are in the partition of their key.

Kafka has no index by key. Only the partitions of the keys are read, from their ends backwards in parts that
grow, until each key is found: what changed lately is found at once, and no record is read twice.
"""

from collections.abc import Collection
from typing import NamedTuple

from confluent_kafka import Consumer

from schemas.errors import StopWorker
from schemas.keys import partition_for
from streams.permission_check import why_not_listed
from streams.records import MemoryRecord
from streams.replay.broker_admin import TIMEOUT_S
from streams.replay.positions import END, START
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.settings import Settings

_FIRST_PART = 2_000
"""Offsets of each partition that are read first."""
_GROWTH = 4


class Part(NamedTuple):
    """What is read next of a partition, and where it begins.

    Attributes:
        range: The offsets to read.
        low: The partition's first offset.
    """

    range: OffsetRange
    low: int

    @property
    def is_last(self) -> bool:
        """Whether nothing is left before it."""
        return self.range.start <= self.low

    def before(self, offsets: int) -> "Part":
        """Return the part of at most `offsets` offsets that ends where this one begins."""
        partition, end, _ = self.range
        return Part(OffsetRange(partition, max(self.low, end - offsets), end), self.low)


class LatestValues:
    """Reads the last values of keys. Use it as a context manager.

    Args:
        settings: Settings with the broker's address.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Consumer = open_consumer(settings, f"{settings.app_id}-lookup")

    def __enter__(self) -> "LatestValues":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def find(self, topic: str, keys: Collection[bytes]) -> dict[bytes, MemoryRecord]:
        """Return the last record of each key that has one. A withdrawn key has a record without value.

        Raises:
            StopWorker: There is no such topic, or the broker rejects the credentials.
            RetryLater: The broker is unreachable.
        """
        if topic not in self._consumer.list_topics(timeout=TIMEOUT_S).topics:
            raise StopWorker(why_not_listed(self._settings, topic))
        ranges = resolve_ranges(self._consumer, self._settings, topic, START, END)
        wanted: dict[int, set[bytes]] = {}
        for key in keys:
            wanted.setdefault(partition_for(key, len(ranges)), set()).add(key)
        # Each part ends where the last one began: the first ends at the partition's end.
        parts = [
            Part(OffsetRange(each.partition, each.end, each.end), each.start)
            for each in ranges
            if each.partition in wanted
        ]
        found: dict[bytes, MemoryRecord] = {}
        size = _FIRST_PART
        while parts:
            parts = [part.before(size) for part in parts if not part.is_last]
            part_found: dict[bytes, MemoryRecord] = {}
            ranges = [part.range for part in parts]
            for records in read_ranges(self._consumer, self._settings, topic, ranges):
                for record in records:
                    if record.key is not None and record.key in wanted[record.partition]:
                        part_found[record.key] = record
            for key, record in part_found.items():
                found[key] = record
                wanted[record.partition].discard(key)
            parts = [part for part in parts if wanted[part.range.partition]]
            size *= _GROWTH
        return found
