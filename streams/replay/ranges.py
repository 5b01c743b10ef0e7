"""Offset ranges: from the positions of a command to the offsets of each partition."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.errors import StopWorker
from streams.acls import Acl, Operation, Resource
from streams.replay.broker_admin import TIMEOUT_S, translated_kafka_error
from streams.replay.positions import Position, Positions
from streams.settings import Settings

_LEADER_CHANGES = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)


class OffsetRange(NamedTuple):
    """The offsets [start, end) of a partition. Some of them may have no record."""

    partition: int
    start: int
    end: int

    @property
    def offsets(self) -> int:
        """The most records that the range can have."""
        return max(0, self.end - self.start)


def clamp(low: int, high: int, start: int, end: int) -> tuple[int, int]:
    """Cut [start, end) to the existing offsets [low, high). An empty range stays empty."""
    start = min(max(start, low), high)
    return start, max(start, min(end, high))


def resolve_ranges(
    consumer: Consumer,
    settings: Settings,
    topic: str,
    begin: Position | Positions,
    until: Position | Positions,
) -> list[OffsetRange]:
    """Find the offsets between two positions in every partition of a topic, as of now.

    The range of a partition that has no position is empty.

    Args:
        consumer: Consumer with the isolation level of the later reads: the level decides where the end is.
        settings: Settings with the broker's address, for error messages.
        topic: Topic to look at.
        begin: Position of the first record.
        until: Position after the last record.

    Returns:
        One range per partition, in the order of partitions.

    Raises:
        StopWorker: The topic does not exist, or has no partition with a position of its own.
        RetryLater: The broker is unreachable.
    """
    try:
        metadata = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
        if metadata.error is not None:
            needed = [Acl(Resource.TOPIC, topic, Operation.DESCRIBE)]
            if metadata.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise translated_kafka_error(KafkaException(metadata.error), settings, needed)
            raise StopWorker(f"there is no topic {topic!r} at {settings.bootstrap_servers}")
        partitions = sorted(metadata.partitions)
        _check_partitions(topic, partitions, begin, until)
        watermarks = [_watermarks(consumer, TopicPartition(topic, partition)) for partition in partitions]
        starts = _resolve(consumer, topic, partitions, begin, watermarks)
        ends = _resolve(consumer, topic, partitions, until, watermarks)
    except KafkaException as error:
        raise translated_kafka_error(error, settings) from error
    return [
        OffsetRange(partition, *_bounds(watermark, start, end))
        for partition, watermark, start, end in zip(partitions, watermarks, starts, ends, strict=True)
    ]


def _bounds(watermark: tuple[int, int], start: int | None, end: int | None) -> tuple[int, int]:
    """Return the existing offsets between two positions; none where a position is missing."""
    low, high = watermark
    return (low, low) if start is None or end is None else clamp(low, high, start, end)


def _check_partitions(topic: str, partitions: Sequence[int], *positions: Position | Positions) -> None:
    named = {at for each in positions if isinstance(each, Positions) for at in each.by_partition}
    if missing := sorted(named - set(partitions)):
        raise StopWorker(
            f"{topic} has no partition {', '.join(map(str, missing))}: it has {len(partitions)}, from 0 on"
        )


def _resolve(
    consumer: Consumer,
    topic: str,
    partitions: Sequence[int],
    positions: Position | Positions,
    watermarks: Sequence[tuple[int, int]],
) -> list[int | None]:
    """Return the offset of each partition's position; None for a partition without one."""
    if isinstance(positions, Position):
        return list(_offsets(consumer, topic, partitions, positions, watermarks))
    wanted = [positions.of(partition) for partition in partitions]
    offsets = {
        position: _offsets(consumer, topic, partitions, position, watermarks)
        for position in dict.fromkeys(wanted)
        if position is not None
    }
    return [None if each is None else offsets[each][index] for index, each in enumerate(wanted)]


def _watermarks(consumer: Consumer, at: TopicPartition) -> tuple[int, int]:
    """Return the first offset and the end of a partition. Asks again while a new leader takes over."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(at, timeout=TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() not in _LEADER_CHANGES or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return low, high


def _offsets(
    consumer: Consumer,
    topic: str,
    partitions: Sequence[int],
    position: Position,
    watermarks: Sequence[tuple[int, int]],
) -> list[int]:
    """Return the offset of a position in each of `partitions`."""
    if position.offset is not None:
        return [position.offset] * len(partitions)
    if position.time_ms is None:
        return [high if position.at_end else low for low, high in watermarks]
    times = [TopicPartition(topic, partition, position.time_ms) for partition in partitions]
    found = {each.partition: each.offset for each in consumer.offsets_for_times(times, timeout=TIMEOUT_S)}
    # The offset is negative for a partition without a record at or after the time.
    return [
        found[partition] if found[partition] >= 0 else high
        for partition, (_, high) in zip(partitions, watermarks, strict=True)
    ]
