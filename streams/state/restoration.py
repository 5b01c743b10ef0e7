"""Restoring a lane's tables from their changelogs, read_committed, before the lane reads its inputs."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from schemas.errors import RetryLater
from streams.records import Partition, Record
from streams.state.stores import Checkpoint
from streams.state.tables import Table, Tables

# A compacted topic drops tombstones after delete.retention.ms (24 h by default): rows older than that may
# miss deletions, so that such a store is rebuilt rather than caught up.
STALE_MS = 20 * 3600 * 1000

# Polls of half a second that bring nothing, after which a reader has lost its broker for good.
IDLE_POLLS = 60

Progress = Callable[[Partition, int], None]


class ChangelogReader(Protocol):
    """Reads committed records of one partition at a time."""

    async def bounds(self, at: Partition) -> tuple[int, int]:
        """The first offset kept and the end (the last stable offset)."""
        ...

    async def seek(self, at: Partition, offset: int) -> None:
        """Read `at` from `offset` on."""
        ...

    async def poll(self, at: Partition) -> tuple[Sequence[Record], int]:
        """Some next records, maybe none, and the position after them."""
        ...


class KafkaChangelogReader:
    """A reader on a consumer of its own, outside the group. Use `open_reader`."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def bounds(self, at: Partition) -> tuple[int, int]:
        """The first offset kept and the last stable offset."""
        partition = TopicPartition(*at)
        first = await self._consumer.beginning_offsets([partition])
        last = await self._consumer.end_offsets([partition])
        return first[partition], last[partition]

    async def seek(self, at: Partition, offset: int) -> None:
        """Assign the partition alone and read from `offset`."""
        partition = TopicPartition(*at)
        self._consumer.assign([partition])
        self._consumer.seek(partition, offset)

    async def poll(self, at: Partition) -> tuple[Sequence[Record], int]:
        """Whatever one fetch brings within half a second."""
        partition = TopicPartition(*at)
        batches = await self._consumer.getmany(partition, timeout_ms=500)
        position = await self._consumer.position(partition)
        return batches.get(partition, []), position


@asynccontextmanager
async def open_reader(client: dict[str, Any]) -> AsyncIterator[KafkaChangelogReader]:
    """A reader for as long as the block lasts. `client` holds aiokafka's connection settings."""
    consumer = AIOKafkaConsumer(
        **client,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        yield KafkaChangelogReader(consumer)
    finally:
        await consumer.stop()


async def restore(
    tables: Tables, reader: ChangelogReader, progress: Progress, *, now_ms: int | None = None
) -> int:
    """Bring every table of a lane up to its changelog's end.

    Args:
        tables: the lane's tables, with nothing staged.
        reader: where the changelogs are read.
        progress: called with the changelog partition and the number of offsets still to read.
        now_ms: the time in milliseconds; the clock's when None.

    Returns:
        How many records were read.
    """
    moment = int(time.time() * 1000) if now_ms is None else now_ms
    count = 0
    for table in tables:
        count += await _restore(
            table, Partition(table.spec.changelog, tables.partition), reader, progress, moment
        )
    return count


async def _restore(
    table: Table[Any], at: Partition, reader: ChangelogReader, progress: Progress, now_ms: int
) -> int:
    first, end = await reader.bounds(at)
    checkpoint = table.store.checkpoint()
    if checkpoint is not None and not _usable(checkpoint, first, end, now_ms):
        table.wipe()
        checkpoint = None
    position = first if checkpoint is None else checkpoint.offset
    progress(at, max(0, end - position))
    if position >= end:
        if checkpoint is None:
            table.restore({}, Checkpoint((position, now_ms)))
        return 0
    await reader.seek(at, position)
    count = 0
    idle_polls = 0
    while position < end:
        before = position
        records, position = await reader.poll(at)
        idle_polls = idle_polls + 1 if position == before else 0
        if idle_polls >= IDLE_POLLS:
            raise RetryLater(f"reading {at} stands still at {position} of {end}; a new reader will try")
        rows = {record.key: record.value for record in records if record.key is not None}
        table.restore(rows, Checkpoint((position, now_ms)))
        count += len(records)
        progress(at, max(0, end - position))
    return count


def _usable(checkpoint: Checkpoint, first: int, end: int, now_ms: int) -> bool:
    """Whether a store can be caught up rather than rebuilt.

    Beyond the end, the changelog is not the one that the store came from; before the start with rows, what
    lies between was deleted.
    """
    fresh = now_ms - checkpoint.written_at < STALE_MS
    return checkpoint.offset <= end and (checkpoint.offset >= first or first == 0) and fresh
