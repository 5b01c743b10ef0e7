"""One batch: process it, and commit outputs, state and the consumed offset in one transaction."""

import math
import time
from collections.abc import Mapping, Sequence

from streams.lanes.bisection import Bisection, Changes
from streams.lanes.observer import BatchReport
from streams.lanes.opening import Opening
from streams.lanes.record_buffer import InputBatch
from streams.lanes.runtime import LaneRuntime
from streams.lanes.transactional_writer import TransactionalWriter
from streams.records import Output, Partition, ReadPosition
from streams.state.tables import Tables
from streams.topics import DEAD_LETTER

_PAUSES = 9
"""The pause after a part of the work, in its durations: records wait for a tenth of the time at most."""


class BatchTransaction:
    """Processes and commits the batches of one lane.

    Args:
        bisection: Processes a batch and dead-letters its poison records.
        writer: The lane's transactional writer.
        runtime: Throttles dead letters.
        catch_up_s: Seconds between two parts of the work that the agent puts off. `math.inf` does none of it.
    """

    def __init__(
        self,
        bisection: Bisection,
        writer: TransactionalWriter,
        runtime: LaneRuntime,
        catch_up_s: float = math.inf,
    ) -> None:
        self._catch_up_s = catch_up_s
        self._catch_up_at = time.monotonic() + catch_up_s
        self._bisection = bisection
        self._writer = writer
        self._runtime = runtime

    async def run(self, batch: InputBatch, opening: Opening) -> BatchReport:
        """Process a batch, commit it, and apply its state changes.

        After an exception the tables may hold staged changes, which the caller must discard. The outcome of
        the commit may then be unknown.

        Args:
            batch: Records of one input.
            opening: The lane's tables, with nothing staged, and next offsets. The latter are advanced.

        Returns:
            What was committed.

        Raises:
            Fenced: Another worker opened the lane.
            RetryLater: The batch must be processed again.
            StopWorker: The worker must stop.
        """
        opening.batch = batch
        opening.begun_at = started = time.monotonic()
        tables = opening.open_tables()
        outputs, changes = await self._bisection.process(batch.records, tables)
        last = batch.records[-1]
        next_offset = last.offset + 1
        positions = self._positions({**opening.next_offsets, batch.at: next_offset})
        await self._runtime.throttle(sum(1 for output in outputs if output.topic == DEAD_LETTER))
        processed = time.monotonic()
        await self._commit(tables, changes, outputs, positions, consumed=[batch.at])
        opening.next_offsets[batch.at] = next_offset
        opening.batch = None
        return BatchReport(
            at=batch.at,
            records=len(batch.records),
            size=batch.size,
            outputs=outputs,
            next_offset=next_offset,
            last_timestamp=last.timestamp,
            process_s=processed - started,
            commit_s=time.monotonic() - processed,
        )

    async def catch_up(self, opening: Opening) -> Sequence[Output]:
        """Let the agent do some of the work that it put off, and commit it; every `catch_up_s` at most.

        Args:
            opening: The lane's tables, with nothing staged.

        Returns:
            What was written.

        Raises:
            Fenced: Another worker opened the lane.
            RetryLater: The outcome of the commit is unknown, or the agent must repeat the work.
            StopWorker: The worker must stop.
        """
        started = time.monotonic()
        if started < self._catch_up_at:
            return ()
        tables = opening.open_tables()
        outputs, changes = await self._bisection.catch_up(tables)
        if outputs or any(changes.values()):
            positions = self._positions(opening.next_offsets)
            # The position of one input is committed again: every transaction of a lane has an offset.
            await self._commit(tables, changes, outputs, positions, consumed=[*positions][:1])
        ended = time.monotonic()
        self._catch_up_at = ended + max(self._catch_up_s, _PAUSES * (ended - started))
        return outputs

    async def find_start(self, opening: Opening, inputs: Sequence[Partition]) -> dict[Partition, int]:
        """Find where the lane starts, and commit it if that differs from what the group says.

        Args:
            opening: The lane's restored tables. Its next offsets are set.
            inputs: The lane's inputs.

        Returns:
            How many offsets of an input expired before a lane read them, if any did.

        Raises:
            Fenced: Another worker opened the lane.
            InputReset: The log of an input is not the one that was read before.
            RetryLater: The broker does not answer, or the outcome of the commit is unknown.
        """
        tables = opening.open_tables()
        contained = tables.positions()
        starts = {at: await self._runtime.start_offset(at, contained.get(at)) for at in inputs}
        opening.next_offsets = {at: start.offset for at, start in starts.items()}
        if any(start.must_commit for start in starts.values()):
            positions = self._positions(opening.next_offsets)
            await self._commit(tables, tables.changes(), [], positions, consumed=inputs)
        return {at: start.expired for at, start in starts.items() if start.expired}

    async def _commit(
        self,
        tables: Tables,
        changes: Changes,
        outputs: Sequence[Output],
        positions: Mapping[Partition, ReadPosition],
        consumed: Sequence[Partition],
    ) -> None:
        """Commit outputs, rows with the positions, and the offsets of `consumed`; then apply the rows."""
        changes = tables.with_positions(changes, positions)
        offsets = {at: positions[at] for at in consumed}
        written = await self._writer.commit([*outputs, *tables.changelog(changes)], offsets)
        tables.apply(changes, written, int(time.time() * 1000))

    def _positions(self, next_offsets: Mapping[Partition, int]) -> dict[Partition, ReadPosition]:
        """Return the positions with the ids of their topics."""
        topic_id = self._runtime.topic_id
        return {at: ReadPosition(offset, topic_id(at)) for at, offset in next_offsets.items()}
