"""Ranges of offsets: from the positions that people ask for to what a topic's partitions have."""

from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import StopWorker
from streams.replay.broker_admin import TIMEOUT_S, translated_kafka_error
from streams.replay.positions import Position
from streams.settings import Settings


class OffsetRange(NamedTuple):
    """The offsets [start, end) of a partition; not each of them need have a record."""

    partition: int
    start: int
    end: int

    @property
    def offsets(self) -> int:
        """How many records it may have at most."""
        return max(0, self.end - self.start)


def clamp(low: int, high: int, start: int, end: int) -> tuple[int, int]:
    """Cut [start, end) to what is there, [low, high); what is empty stays empty."""
    start = min(max(start, low), high)
    return start, max(start, min(end, high))


def resolve_ranges(
    consumer: Consumer, settings: Settings, topic: str, begin: Position, until: Position
) -> list[OffsetRange]:
    """The ranges of all partitions of `topic` between two positions, as of now.

    Args:
        consumer: one that reads as the caller will: its isolation decides where the end is.
        settings: for the errors' words.
        topic: the topic.
        begin: the first record; a time means the first record at or after it.
        until: the first record not to be read, likewise.

    Raises:
        StopWorker: there is no such topic.
        RetryLater: the broker is away.
    """
    try:
        listed = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
        if listed.error is not None:
            raise StopWorker(f"there is no topic {topic!r} at {settings.bootstrap_servers}")
        partitions = sorted(listed.partitions)
        ends = [
            consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
            for partition in partitions
        ]
        starts = _offsets(consumer, topic, partitions, begin, ends)
        stops = _offsets(consumer, topic, partitions, until, ends)
    except KafkaException as error:
        raise translated_kafka_error(error, settings) from error
    return [
        OffsetRange(partition, *clamp(low, high, start, stop))
        for partition, (low, high), start, stop in zip(partitions, ends, starts, stops, strict=True)
    ]


def _offsets(
    consumer: Consumer,
    topic: str,
    partitions: Sequence[int],
    position: Position,
    ends: Sequence[tuple[int, int]],
) -> list[int]:
    if position.offset is not None:
        return [position.offset] * len(partitions)
    if position.time_ms is None:
        return [high if position.at_end else low for low, high in ends]
    asked = [TopicPartition(topic, partition, position.time_ms) for partition in partitions]
    found = {each.partition: each.offset for each in consumer.offsets_for_times(asked, timeout=TIMEOUT_S)}
    # A partition without a record at or after the time answers with a negative offset.
    return [
        found[partition] if found[partition] >= 0 else high
        for partition, (_, high) in zip(partitions, ends, strict=True)
    ]
