"""Replaying a range of a topic: what is asked for, what is written, and doing it once."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import StopWorker
from schemas.keys import partition_for
from streams.backoff import TokenBucket
from streams.provenance import ORIGIN, origin_header, position_of
from streams.records import MemoryRecord, Output, size_of
from streams.replay.broker_admin import TIMEOUT_S, translated_kafka_error
from streams.replay.positions import END, FORMS, Position, parse_position
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.transactional_copy import (
    BATCH_RECORDS,
    TransactionalSender,
    next_offsets,
    open_consumer,
    read_ranges,
)
from streams.settings import Settings

REPLAY = "shelfstream.replay"
"""The header that names the replay that wrote a record; the origin header keeps its first position."""


class Plan(NamedTuple):
    """What a replay does. `rate` is in records per second; None means as fast as can be."""

    source: str
    ranges: tuple[OffsetRange, ...]
    target: str
    target_partitions: int
    replay_id: str
    rate: float | None = None

    @property
    def offsets(self) -> int:
        """How many records it may have at most."""
        return sum(each.offsets for each in self.ranges)

    def wrote(self, record: MemoryRecord) -> bool:
        """Whether this replay wrote the record: one that goes on in its own topic must not eat its tail."""
        return (REPLAY, self.replay_id.encode()) in record.headers

    def outgoing(self, record: MemoryRecord) -> Output:
        """What is written for a record: the same, and in headers where it stood and which replay wrote it.

        A record that was replayed before keeps its first origin. The partition is the same one where both
        topics have as many, so that the order of keys holds; else the key's, and without a key the source's
        partition modulo their number.
        """
        kept = [header for header in record.headers if header[0] != REPLAY]
        if all(name != ORIGIN for name, _ in kept):
            kept.append(origin_header(position_of(record)))
        kept.append((REPLAY, self.replay_id.encode()))
        if len(self.ranges) == self.target_partitions:
            partition = record.partition
        elif record.key is not None:
            partition = partition_for(record.key, self.target_partitions)
        else:
            partition = record.partition % self.target_partitions
        return Output(self.target, partition, record.key, record.value, kept, record.timestamp)


def resolve_to(
    values: Sequence[str], topics: Collection[str], now: datetime
) -> tuple[Position | None, str | None]:
    """Tell apart what `--to` means: the name of a topic, or the range's end.

    Args:
        values: what was given, in any order: at most one of each.
        topics: the topics that exist.
        now: an aware time.

    Returns:
        The end of the range and the target topic, None where not given.

    Raises:
        StopWorker: a value is neither, could be both, or a meaning was given twice.
    """
    until: Position | None = None
    target: str | None = None
    for value in values:
        position = parse_position(value, now)
        if position is not None and value in topics:
            raise StopWorker(f"--to {value} could mean a topic and a position: use --into or --until")
        if position is None and value not in topics:
            raise StopWorker(f"--to {value}: there is no such topic, and as a position it should be {FORMS}")
        if (until if position is not None else target) is not None:
            raise StopWorker("--to was given twice with the same meaning")
        until, target = (position, target) if position is not None else (until, value)
    return until, target


def resume(ranges: Sequence[OffsetRange], committed: Mapping[int, int]) -> tuple[OffsetRange, ...]:
    """The part of the ranges that is not done, by the next offset that is committed for each partition."""
    return tuple(
        each._replace(start=min(max(each.start, committed.get(each.partition, 0)), max(each.start, each.end)))
        for each in ranges
    )


@dataclass
class Progress:
    """What a replay has done. Times are Unix milliseconds, None before the first record."""

    records: int = 0
    size: int = 0
    tombstones: int = 0
    by_partition: dict[int, int] = field(default_factory=dict)
    oldest_ms: int | None = None
    newest_ms: int | None = None

    def count(self, records: Sequence[MemoryRecord]) -> None:
        """Add records."""
        for record in records:
            self.records += 1
            self.size += size_of(record)
            self.tombstones += record.value is None
            self.by_partition[record.partition] = self.by_partition.get(record.partition, 0) + 1
            if record.timestamp >= 0:
                oldest, newest = self.oldest_ms, self.newest_ms
                self.oldest_ms = record.timestamp if oldest is None else min(oldest, record.timestamp)
                self.newest_ms = record.timestamp if newest is None else max(newest, record.timestamp)


class Replay:
    """One replay over a connection of its own; a context manager.

    Its consumer group is named after it. Each batch's records and the group's offsets are written in one
    transaction, so that a replay that was broken off goes on where it stopped when it is run again with the
    same id, and writes nothing twice.

    Args:
        settings: where Kafka is, and as whom.
        replay_id: its name.
    """

    def __init__(self, settings: Settings, replay_id: str) -> None:
        self._settings = settings
        self._id = replay_id
        self.group = f"{settings.app_id}-replay-{replay_id}"
        self._consumer: Consumer = open_consumer(settings, self.group)

    def __enter__(self) -> "Replay":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def plan(
        self, source: str, target: str, begin: Position, until: Position = END, rate: float | None = None
    ) -> Plan:
        """Find the offsets of a range, as of now.

        Raises:
            StopWorker: a topic does not exist.
            RetryLater: the broker is away.
        """
        ranges = resolve_ranges(self._consumer, self._settings, source, begin, until)
        try:
            listed = self._consumer.list_topics(target, timeout=TIMEOUT_S).topics[target]
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        if listed.error is not None:
            raise StopWorker(f"there is no topic {target!r} to replay into: create it first")
        return Plan(source, tuple(ranges), target, len(listed.partitions), self._id, rate)

    def count(self, plan: Plan, on_progress: Callable[[int], None] = lambda records: None) -> Progress:
        """Read what the plan would replay, and write nothing."""
        progress = Progress()
        for records in read_ranges(
            self._consumer, self._settings, plan.source, self._left(plan, on_progress)
        ):
            progress.count([record for record in records if not plan.wrote(record)])
            on_progress(len(records))
        return progress

    def run(self, plan: Plan, on_progress: Callable[[int], None] = lambda records: None) -> Progress:
        """Do what is left of the plan. `on_progress` hears of offsets once they are done.

        Raises:
            StopWorker: the broker refuses, or another run with the same id took over.
            RetryLater: the broker is away: run it again with the same id.
        """
        progress = Progress()
        batch = BATCH_RECORDS if plan.rate is None else max(1, min(BATCH_RECORDS, int(plan.rate / 10)))
        pace = None if plan.rate is None else TokenBucket(batch, plan.rate, time.monotonic())
        with TransactionalSender(self._settings, self.group) as sender:
            # Only now, after an earlier run with this id cannot commit any more, is it sure what it did.
            left = self._left(plan, on_progress)
            for records in read_ranges(self._consumer, self._settings, plan.source, left, batch):
                replayed = [record for record in records if not plan.wrote(record)]
                if pace is not None:
                    time.sleep(pace.spend(len(replayed), time.monotonic()))
                outputs = [plan.outgoing(record) for record in replayed]
                sender.send(outputs, next_offsets(records), self._consumer, plan.source)
                progress.count(replayed)
                on_progress(len(records))
        return progress

    def _left(self, plan: Plan, on_progress: Callable[[int], None]) -> tuple[OffsetRange, ...]:
        """The ranges without what earlier runs with the same id have committed."""
        asked = [TopicPartition(plan.source, each.partition) for each in plan.ranges]
        try:
            places = self._consumer.committed(asked, timeout=TIMEOUT_S)
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        left = resume(plan.ranges, {each.partition: each.offset for each in places})
        on_progress(plan.offsets - sum(each.offsets for each in left))
        return left
