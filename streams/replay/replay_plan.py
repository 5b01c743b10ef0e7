"""What a replay does: its ranges, its records, their outputs, and the counts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from schemas.errors import StopWorker
from schemas.keys import partition_for
from streams.provenance import ORIGIN, REPLAY, origin_header, position_of, source_of
from streams.records import MemoryRecord, Output, size_of
from streams.replay.positions import FORMS, PartitionPosition, parse_partition_position
from streams.replay.ranges import OffsetRange
from streams.replay.record_selection import ALL_RECORDS, RecordSelection
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
        selection: Selects the records to write.
    """

    source: str
    ranges: tuple[OffsetRange, ...]
    target: str
    target_partitions: int
    replay_id: str
    rate: float | None = None
    selection: RecordSelection = ALL_RECORDS

    @property
    def offsets(self) -> int:
        """The most records that the ranges can have."""
        return sum(each.offsets for each in self.ranges)

    def selected(self, records: Sequence[MemoryRecord]) -> list[MemoryRecord]:
        """Return the records that the replay writes."""
        return [each for each in records if self.selection.selects(each) and not self.is_copy(each)]

    def is_copy(self, record: MemoryRecord) -> bool:
        """Return whether a replay, this one or another, copied the record from the same topic."""
        if all(name != REPLAY for name, _ in record.headers):
            return False
        return source_of(record).topic == self.source

    def progress(self) -> "ReplayProgress":
        """Return counts of 0. Keys are collected if the plan selects keys: they are few."""
        return ReplayProgress(keys=None if self.selection.keys is None else set())

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
) -> tuple[tuple[PartitionPosition, ...], str | None]:
    """Resolve the values of `--to`: each is the target topic or an end of the range.

    Args:
        values: Values in any order, at most one topic.
        topics: Names of the existing topics.
        now: Time that relative times count from. It has a time zone.

    Returns:
        The ends of the range, and the target topic; None without one.

    Raises:
        StopWorker: A value is neither or could be both, or two topics are given.
    """
    until: list[PartitionPosition] = []
    target: str | None = None
    for value in values:
        position = parse_partition_position(value, now)
        if position is not None and value in topics:
            raise StopWorker(
                f"--to {value} is a topic and also a position: use --into for a topic, --until for a position"
            )
        if position is None and value not in topics:
            raise StopWorker(f"--to {value}: there is no such topic, and a position is {FORMS}")
        if position is not None:
            until.append(position)
        elif target is not None:
            raise StopWorker(f"--to names two topics, {target} and {value}: a replay writes to one")
        else:
            target = value
    return tuple(until), target


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
        left_out: Number of records of the range that were read and not written.
        by_partition: Number of records by partition of the source.
        oldest_ms: Lowest timestamp, in Unix milliseconds; None if no record had one.
        newest_ms: Highest timestamp, in Unix milliseconds; None if no record had one.
        keys: The keys of the records; None if they are not collected.
    """

    records: int = 0
    size: int = 0
    tombstones: int = 0
    left_out: int = 0
    by_partition: dict[int, int] = field(default_factory=dict)
    oldest_ms: int | None = None
    newest_ms: int | None = None
    keys: set[bytes] | None = None

    def count(self, selected: Sequence[MemoryRecord], read: int) -> None:
        """Count the selected ones of `read` records."""
        self.left_out += read - len(selected)
        if self.keys is not None:
            self.keys.update(record.key for record in selected if record.key is not None)
        for record in selected:
            self.records += 1
            self.size += size_of(record)
            self.tombstones += record.value is None
            self.by_partition[record.partition] = self.by_partition.get(record.partition, 0) + 1
            if record.timestamp >= 0:
                oldest, newest = self.oldest_ms, self.newest_ms
                self.oldest_ms = record.timestamp if oldest is None else min(oldest, record.timestamp)
                self.newest_ms = record.timestamp if newest is None else max(newest, record.timestamp)
