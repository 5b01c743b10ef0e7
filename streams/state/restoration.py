"""Restoration: a lane's tables are rebuilt from their changelogs before the lane reads its inputs."""

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

STALE_MS = 20 * 3600 * 1000
"""Milliseconds after which a store is rebuilt from the start of its changelog. A compacted topic drops
tombstones after delete.retention.ms (24 hours by default), so that an older store could miss deletions."""

IDLE_POLLS = 60
"""Polls of half a second without records after which a new reader is needed."""

Progress = Callable[[Partition, int], None]
"""Called with a changelog partition and the number of offsets that are still to be read."""


class ChangelogReader(Protocol):
    """Reads committed records of one partition at a time."""

    async def bounds(self, at: Partition) -> tuple[int, int]:
        """Return the first offset and the end: the last stable offset."""
        ...

    async def seek(self, at: Partition, offset: int) -> None:
        """Read `at` from `offset` on."""
        ...

    async def poll(self, at: Partition) -> tuple[Sequence[Record], int]:
        """Return some next records, or none, and the position after them."""
        ...


class KafkaChangelogReader:
    """A reader on a consumer of its own, outside the group. Use `open_reader`."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def bounds(self, at: Partition) -> tuple[int, int]:
        """Return the first offset and the last stable offset."""
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
        """Return what one fetch brings within half a second, and the position after it."""
        partition = TopicPartition(*at)
        batches = await self._consumer.getmany(partition, timeout_ms=500)
        position = await self._consumer.position(partition)
        return batches.get(partition, []), position


@asynccontextmanager
async def open_reader(client: dict[str, Any]) -> AsyncIterator[KafkaChangelogReader]:
    """Open a reader for the duration of the block.

    Args:
        client: aiokafka's connection settings.
    """
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
    """Bring every table of a lane up to the end of its changelog.

    Args:
        tables: The lane's tables, with nothing staged.
        reader: Reads the changelogs.
        progress: Receives how much is left.
        now_ms: Milliseconds since 1970; None takes the clock's.

    Returns:
        The number of records that were read.

    Raises:
        RetryLater: The reader made no progress.
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
        changelog_id = table.store.changelog_id()
        table.wipe()
        table.store.set_changelog_id(changelog_id)
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
            raise RetryLater(f"reading {at} makes no progress at {position} of {end}; trying again")
        rows = {record.key: record.value for record in records if record.key is not None}
        table.restore(rows, Checkpoint((position, now_ms)))
        count += len(records)
        progress(at, max(0, end - position))
    return count


def _usable(checkpoint: Checkpoint, first: int, end: int, now_ms: int) -> bool:
    """Return whether a store can be caught up. Otherwise it must be rebuilt.

    A checkpoint behind the end belongs to another changelog. Between a checkpoint and a later start, records
    were deleted.
    """
    recent = now_ms - checkpoint.written_at < STALE_MS
    return checkpoint.offset <= end and (checkpoint.offset >= first or first == 0) and recent
