"""Records as lanes get them from aiokafka: lean, and out of the garbage collector's sight.

aiokafka makes a dataclass of eleven fields of each record and hands it through two generators. At a hundred
thousand records a second that, and the collector that keeps looking at them, took a third of a core.
"""

from collections.abc import Iterator
from typing import Any

import aiokafka.consumer.fetcher
import msgspec
from aiokafka.consumer.fetcher import PartitionRecords

from streams.records import Headers


class FetchedRecord(msgspec.Struct, gc=False):
    """A record as read from Kafka. `timestamp` is in milliseconds, of the type that Kafka numbers so."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


class LeanRecords(PartitionRecords):  # type: ignore[misc]
    """What one fetch brought for one partition."""

    def __iter__(self) -> Iterator[FetchedRecord]:
        # The generator itself: looping over `self` calls a method for each record.
        records: Iterator[FetchedRecord] = self._records_iterator
        return records

    def _consumer_record(self, tp: Any, record: Any) -> FetchedRecord:
        return FetchedRecord(
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp,
            record.timestamp_type,
            record.key,
            record.value,
            record.headers,
        )


def patch_record_class() -> None:
    """From now on, let all of aiokafka's consumers in this process make lean records.

    They have no deserializers, checksums or sizes, which nothing here asks for.
    """
    aiokafka.consumer.fetcher.PartitionRecords = LeanRecords
