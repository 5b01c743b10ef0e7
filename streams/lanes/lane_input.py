"""What a lane reads: the position of the consumer, and the fetched records that are not processed yet."""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count

from streams.lanes.record_buffer import InputBatch, RecordBuffer
from streams.lanes.runtime import LaneLimits, LaneRuntime
from streams.records import Partition, Record

# Epochs are unique in the process: no delivery can be mistaken for one of a later seek.
_EPOCHS = count(1)


class LaneInput:
    """The inputs of one lane.

    Args:
        inputs: The lane's inputs in the order of their priority.
        limits: Sizes of batches and of the buffer.
        runtime: Lets the consumer seek.
    """

    def __init__(self, inputs: Iterable[Partition], limits: LaneLimits, runtime: LaneRuntime) -> None:
        self._buffer = RecordBuffer(inputs, limits.batch_records, limits.batch_bytes)
        self._limit_bytes = limits.batch_bytes
        self._wait_s = None if math.isinf(limits.catch_up_s) else limits.catch_up_s
        self._runtime = runtime
        self._epoch = 0
        self._position_lost = False
        self._arrived = asyncio.Event()

    def __bool__(self) -> bool:
        """Whether any record waits."""
        return bool(self._buffer)

    @property
    def bytes(self) -> int:
        """Bytes of all waiting records."""
        return self._buffer.bytes

    def has_capacity(self, at: Partition) -> bool:
        """Return whether more records of an input may be fetched. Each input has a capacity of its own."""
        return not self._position_lost and self._buffer.bytes_of(at) < self._limit_bytes

    def offer(self, at: Partition, records: Sequence[Record], epoch: int) -> None:
        """Buffer records of one input, unless they were fetched before the last seek, or offered before."""
        if epoch == self._epoch and self._buffer.offer(at, records):
            self.wake()

    def lose_position(self) -> None:
        """Seek before the next batch: the consumer has a new assignment, without positions."""
        self._position_lost = True
        self.wake()

    async def restart(self, offsets: Mapping[Partition, int]) -> None:
        """Drop all records, and read from these offsets on."""
        self._buffer.restart(offsets)
        await self._seek()

    async def restore_position(self) -> None:
        """Continue after the waiting records, if the position was lost."""
        if self._position_lost:
            await self._seek()

    async def wait(self) -> None:
        """Wait until records arrive, until `wake`, or for `catch_up_s`."""
        self._arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                await self._arrived.wait()

    def wake(self) -> None:
        """End `wait`."""
        self._arrived.set()

    def take(self, most: int) -> InputBatch:
        """Remove and return the next batch, of so many records at most.

        Raises:
            IndexError: No record waits.
        """
        return self._buffer.take(most)

    def drop(self) -> None:
        """Drop all records."""
        self._buffer.clear()

    async def _seek(self) -> None:
        """Seek, and again if the position was lost meanwhile."""
        self._position_lost = True
        while self._position_lost:
            self._position_lost = False
            self._epoch = next(_EPOCHS)
            await self._runtime.seek(self._buffer.next_offsets, self._epoch)
