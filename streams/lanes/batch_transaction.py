"""One batch: process it, and commit outputs, state and the consumed offset in one transaction."""

import time

from streams.lanes.bisection import Bisection
from streams.lanes.observer import BatchReport
from streams.lanes.record_buffer import InputBatch
from streams.lanes.runtime import LaneRuntime
from streams.lanes.transactional_writer import TransactionalWriter
from streams.state.tables import Tables
from streams.topics import DEAD_LETTER


class BatchTransaction:
    """Processes and commits the batches of one lane.

    Args:
        bisection: Processes a batch and dead-letters its poison records.
        writer: The lane's transactional writer.
        runtime: Throttles dead letters.
    """

    def __init__(self, bisection: Bisection, writer: TransactionalWriter, runtime: LaneRuntime) -> None:
        self._bisection = bisection
        self._writer = writer
        self._runtime = runtime

    async def run(self, batch: InputBatch, tables: Tables) -> BatchReport:
        """Process a batch, commit it, and apply its state changes.

        After an exception the tables may hold staged changes, which the caller must discard. The outcome of
        the commit may then be unknown.

        Args:
            batch: Records of one input.
            tables: The lane's tables, with nothing staged.

        Returns:
            What was committed.

        Raises:
            Fenced: Another worker opened the lane.
            RetryLater: The batch must be processed again.
            StopWorker: The worker must stop.
        """
        started = time.monotonic()
        outputs, changes = await self._bisection.process(batch.records, tables)
        changelog = tables.changelog(changes)
        await self._runtime.throttle(sum(1 for output in outputs if output.topic == DEAD_LETTER))
        processed = time.monotonic()
        last = batch.records[-1]
        next_offset = last.offset + 1
        written = await self._writer.commit([*outputs, *changelog], {batch.at: next_offset})
        tables.apply(changes, written, int(time.time() * 1000))
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
