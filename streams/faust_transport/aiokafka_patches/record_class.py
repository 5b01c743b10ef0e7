"""Patch: record objects that the garbage collector does not track. The package's docstring says why."""

from collections.abc import Iterator
from typing import Any

import aiokafka.consumer.fetcher
import msgspec
from aiokafka.consumer.fetcher import PartitionRecords

from streams.records import Headers


class FetchedRecord(msgspec.Struct, gc=False):
    """A record as read from Kafka.

    Attributes:
        topic: Topic.
        partition: Partition number.
        offset: Offset.
        timestamp: Milliseconds since 1970.
        timestamp_type: 0 for the producer's time, 1 for the broker's.
        key: Key, or None.
        value: Value; None is a tombstone.
        headers: Names and values.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


class PatchedPartitionRecords(PartitionRecords):  # type: ignore[misc]
    """Replaces aiokafka's `PartitionRecords`: the records that one fetch returned for one partition."""

    def __iter__(self) -> Iterator[FetchedRecord]:
        # Return the generator itself: iterating over `self` would call a method for each record.
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
    """Let all later aiokafka consumers of this process return `FetchedRecord`.

    They apply no deserializers, and give no checksums or sizes.
    """
    aiokafka.consumer.fetcher.PartitionRecords = PatchedPartitionRecords
