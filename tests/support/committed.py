"""A read_committed reader of topics. Tests, campaigns and benchmarks count what it returns."""

import time
from collections.abc import Iterator, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

READ_WITHIN_S = 180.0
"""Seconds that a reader waits for a busy broker, or for the end of an open transaction."""

# librdkafka reports these and connects again by itself.
_PASSING = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
)


def committed_reader(bootstrap: str, topic: str, offsets: Sequence[int]) -> Consumer:
    """Create a read_committed consumer of all partitions of a topic.

    The consumer reports the end of each partition, and survives an outage of the broker.

    Args:
        bootstrap: The broker's address.
        topic: The topic.
        offsets: The first offset to read, for each partition.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"reader-{time.monotonic_ns()}",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, number, offset) for number, offset in enumerate(offsets)])
    return consumer


def end_offsets(bootstrap: str, topic: str, partitions: int) -> list[int]:
    """Ask for the end offset of each partition. Records of open transactions lie before it.

    Raises:
        KafkaException: The broker gave no answer within `READ_WITHIN_S`.
    """
    deadline = time.monotonic() + READ_WITHIN_S
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "end-offsets",
            "isolation.level": "read_uncommitted",
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )
    try:
        while True:
            try:
                places = [TopicPartition(topic, number) for number in range(partitions)]
                return [int(consumer.get_watermark_offsets(place, 10.0)[1]) for place in places]
            except KafkaException:
                # A broker that has just started or elected leaders is not ready yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
    finally:
        consumer.close()


def committed_records(bootstrap: str, topic: str, offsets: Sequence[int]) -> Iterator[Message]:
    """Read the committed records between `offsets` and the end offsets at the time of the call.

    A record of a transaction that is open at that time is returned if the transaction commits.

    Args:
        bootstrap: The broker's address.
        topic: The topic.
        offsets: The first offset to read, for each partition.

    Returns:
        The records, in offset order within each partition.

    Raises:
        KafkaException: The broker reported an error that does not pass by itself.
        AssertionError: The end was not reached within `READ_WITHIN_S`.
    """
    ends = end_offsets(bootstrap, topic, len(offsets))
    consumer = committed_reader(bootstrap, topic, offsets)
    try:
        yield from read_until(consumer, offsets, ends)
    finally:
        consumer.close()


def read_until(
    consumer: Consumer, offsets: Sequence[int], ends: Sequence[int], within_s: float = READ_WITHIN_S
) -> Iterator[Message]:
    """Read every partition up to its end offset. See `committed_records`.

    A partition reports its end again whenever something is written behind it, also an aborted transaction.
    The number of reports says nothing about the other partitions: what counts is the offset in each.

    Args:
        consumer: A consumer from `committed_reader`.
        offsets: The offset from which it reads, for each partition.
        ends: The offset up to which it reads, for each partition.
        within_s: Seconds until the end must be reached.
    """
    position = list(offsets)
    deadline = time.monotonic() + within_s
    while any(at < end for at, end in zip(position, ends, strict=True)):
        assert time.monotonic() < deadline, f"read up to {position} of {list(ends)} in {within_s:.0f} s"
        for message in consumer.consume(10_000, 0.5):
            error, partition, offset = message.error(), message.partition(), message.offset()
            if error is None:
                assert partition is not None and offset is not None
                position[partition] = offset + 1
                if offset < ends[partition]:
                    yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                # Behind the last record lie transaction markers and aborted records.
                assert partition is not None and offset is not None
                position[partition] = max(position[partition], offset)
            elif error.code() not in _PASSING:
                raise KafkaException(error)
