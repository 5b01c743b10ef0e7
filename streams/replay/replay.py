"""Replay: write a range of a topic again, exactly once per replay id."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import StopWorker
from schemas.keys import partition_for
from streams.provenance import ORIGIN, REPLAY, origin_header, position_of, source_of
from streams.records import MemoryRecord, Output, size_of
from streams.replay.broker_admin import TIMEOUT_S, translated_kafka_error
from streams.replay.positions import END, FORMS, Position, parse_position
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.rate_limiter import RateLimiter
from streams.replay.transactional_copy import (
    TransactionalSender,
    next_offsets,
    open_consumer,
    read_ranges,
)
from streams.settings import Settings
from streams.topics import desired


class ReplayPlan(NamedTuple):
    """What a replay does.

    Attributes:
        source: Topic to read.
        ranges: Offsets to read, one range per partition of the source.
        target: Topic to write to.
        target_partitions: Number of partitions of the target.
        replay_id: Id of the replay.
        rate: Most records per second; None for no limit.
    """

    source: str
    ranges: tuple[OffsetRange, ...]
    target: str
    target_partitions: int
    replay_id: str
    rate: float | None = None

    @property
    def offsets(self) -> int:
        """The most records that the ranges can have."""
        return sum(each.offsets for each in self.ranges)

    def is_copy(self, record: MemoryRecord) -> bool:
        """Return whether a replay, this one or another, copied the record from the same topic."""
        if all(name != REPLAY for name, _ in record.headers):
            return False
        return source_of(record).topic == self.source

    def output_for(self, record: MemoryRecord) -> Output:
        """Return the output for a record: the same record, with its origin and the replay id in headers.

        A record that was replayed before keeps its first origin. If both topics have equally many partitions,
        the partition stays, so that the order per key holds. If not, it is the partition of the key, or
        without a key the source's partition modulo the number of partitions.
        """
        headers = [header for header in record.headers if header[0] != REPLAY]
        if all(name != ORIGIN for name, _ in headers):
            headers.append(origin_header(position_of(record)))
        headers.append((REPLAY, self.replay_id.encode()))
        if len(self.ranges) == self.target_partitions:
            partition = record.partition
        elif record.key is not None:
            partition = partition_for(record.key, self.target_partitions)
        else:
            partition = record.partition % self.target_partitions
        return Output(self.target, partition, record.key, record.value, headers, record.timestamp)


def resolve_to(
    values: Sequence[str], topics: Collection[str], now: datetime
) -> tuple[Position | None, str | None]:
    """Resolve the values of `--to`: each is the target topic or the end of the range.

    Args:
        values: Values in any order, at most one of each kind.
        topics: Names of the existing topics.
        now: Time that relative times count from. It has a time zone.

    Returns:
        The end of the range and the target topic; None for what is not given.

    Raises:
        StopWorker: A value is neither or could be both, or one kind is given twice.
    """
    until: Position | None = None
    target: str | None = None
    for value in values:
        position = parse_position(value, now)
        if position is not None and value in topics:
            raise StopWorker(
                f"--to {value} is a topic and also a position: use --into for a topic, --until for a position"
            )
        if position is None and value not in topics:
            raise StopWorker(f"--to {value}: there is no such topic, and a position is {FORMS}")
        if (until if position is not None else target) is not None:
            raise StopWorker("--to was given twice: give at most one topic and one position")
        until, target = (position, target) if position is not None else (until, value)
    return until, target


def check_topics(source: str, target: str, settings: Settings) -> None:
    """Check that a replay cannot damage state or flood a topic with another topic's events.

    Args:
        source: Topic to read.
        target: Topic to write to.
        settings: Settings with the app id, which is part of internal topics' names.

    Raises:
        StopWorker: A topic is internal, or the target is another topic of shelfstream than the source.
    """
    specs = {spec.name: spec for spec in desired(settings)}
    for topic in (source, target):
        if topic.startswith("__") or (topic in specs and specs[topic].internal):
            raise StopWorker(
                f"{topic} is an internal topic: replaying it would damage state. Replay an input topic, such "
                "as product-created or user-behavior"
            )
    if target in specs and target != source:
        raise StopWorker(
            f"{target} holds other events than {source}: replay {source} into itself, or into a topic of "
            "yours"
        )


def remaining_ranges(ranges: Sequence[OffsetRange], committed: Mapping[int, int]) -> tuple[OffsetRange, ...]:
    """Cut from the ranges what is committed.

    Args:
        ranges: Ranges of a plan.
        committed: Committed next offset by partition.
    """
    return tuple(
        each._replace(start=min(max(each.start, committed.get(each.partition, 0)), max(each.start, each.end)))
        for each in ranges
    )


@dataclass
class ReplayProgress:
    """Counts of the records that a replay has written.

    Attributes:
        records: Number of records.
        size: Their size in bytes.
        tombstones: Number of records without a value.
        by_partition: Number of records by partition of the source.
        oldest_ms: Lowest timestamp, in Unix milliseconds; None if no record had one.
        newest_ms: Highest timestamp, in Unix milliseconds; None if no record had one.
    """

    records: int = 0
    size: int = 0
    tombstones: int = 0
    by_partition: dict[int, int] = field(default_factory=dict)
    oldest_ms: int | None = None
    newest_ms: int | None = None

    def count(self, records: Sequence[MemoryRecord]) -> None:
        """Add records to the counts."""
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
    """Runs one replay with its own consumer. Use it as a context manager.

    The consumer group has the replay's id in its name. One transaction writes a batch's records and commits
    the group's offsets. If a replay is interrupted, run it again with the same id: it continues, and writes
    nothing twice.

    Args:
        settings: Settings with the broker's address and the app id.
        replay_id: Id of the replay.

    Attributes:
        group: Name of its consumer group.
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
    ) -> ReplayPlan:
        """Resolve the positions to offsets, as of now.

        Args:
            source: Topic to read.
            target: Topic to write to.
            begin: Position of the first record.
            until: Position after the last record.
            rate: Most records per second; None for no limit.

        Raises:
            StopWorker: A topic does not exist, or must not be read or written.
            RetryLater: The broker is unreachable.
        """
        check_topics(source, target, self._settings)
        ranges = resolve_ranges(self._consumer, self._settings, source, begin, until)
        try:
            metadata = self._consumer.list_topics(target, timeout=TIMEOUT_S).topics[target]
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        if metadata.error is not None:
            raise StopWorker(f"there is no topic {target!r} to replay into: create it first")
        return ReplayPlan(source, tuple(ranges), target, len(metadata.partitions), self._id, rate)

    def count(
        self, plan: ReplayPlan, on_progress: Callable[[int], None] = lambda records: None
    ) -> ReplayProgress:
        """Count what `run` would write, and write nothing. It raises what `run` raises."""
        progress = ReplayProgress()
        for records in read_ranges(
            self._consumer, self._settings, plan.source, self._remaining(plan, on_progress)
        ):
            progress.count([record for record in records if not plan.is_copy(record)])
            on_progress(len(records))
        return progress

    def run(
        self, plan: ReplayPlan, on_progress: Callable[[int], None] = lambda records: None
    ) -> ReplayProgress:
        """Write the part of the plan that earlier runs with the same id have not written.

        Args:
            plan: Plan of this replay.
            on_progress: Called with the number of offsets of each committed batch.

        Returns:
            The counts of this run.

        Raises:
            StopWorker: The broker rejects a request, or a newer run with the same id has fenced this one.
            RetryLater: The broker is unreachable. Run it again with the same id.
        """
        progress = ReplayProgress()
        limiter = RateLimiter(plan.rate)
        with TransactionalSender(self._settings, self.group) as sender:
            # Entering has fenced earlier runs with this id. Only now are their committed offsets final.
            remaining = self._remaining(plan, on_progress)
            for records in read_ranges(
                self._consumer, self._settings, plan.source, remaining, limiter.batch_records
            ):
                replayed = [record for record in records if not plan.is_copy(record)]
                limiter.wait(len(replayed))
                outputs = [plan.output_for(record) for record in replayed]
                sender.send(outputs, next_offsets(records), self._consumer, plan.source)
                progress.count(replayed)
                on_progress(len(records))
        return progress

    def _remaining(self, plan: ReplayPlan, on_progress: Callable[[int], None]) -> tuple[OffsetRange, ...]:
        """Return the ranges without what earlier runs with the same id have committed."""
        partitions = [TopicPartition(plan.source, each.partition) for each in plan.ranges]
        try:
            committed = self._consumer.committed(partitions, timeout=TIMEOUT_S)
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        remaining = remaining_ranges(plan.ranges, {each.partition: each.offset for each in committed})
        on_progress(plan.offsets - sum(each.offsets for each in remaining))
        return remaining
