"""The patched record class has the fields of aiokafka's that lanes read."""

from typing import Any

from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from streams.faust_transport.aiokafka_patches.record_class import PatchedPartitionRecords


def fetched() -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 100_000)
    for number in range(5):
        key, value = (b"k%d" % number, b"v") if number % 2 else (None, None)
        builder.append(number, 1_000 + number, key, value, [("h", b"%d" % number)])
    return bytes(builder.build())


def records(kind: Any, data: bytes, fetch_offset: int) -> Any:
    partition = TopicPartition("t", 3)
    return kind(partition, MemoryRecords(data), [], fetch_offset, None, None, True, READ_COMMITTED)


def test_they_are_those_of_aiokafka() -> None:
    """From the requested offset on, in all fields that a lane reads."""
    theirs, ours = records(PartitionRecords, fetched(), 2), records(PatchedPartitionRecords, fetched(), 2)
    fields = ("topic", "partition", "offset", "timestamp", "timestamp_type", "key", "value")
    read = [[getattr(record, field) for field in fields] + [list(record.headers)] for record in ours]
    assert read == [
        [getattr(record, field) for field in fields] + [list(record.headers)] for record in theirs
    ]
    assert [each[2] for each in read] == [2, 3, 4]
    assert ours.next_fetch_offset == theirs.next_fetch_offset == 5
