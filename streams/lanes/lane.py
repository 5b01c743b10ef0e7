"""A lane: one agent's partition, from its inputs to a committed transaction.

    OPENING ──► RESTORING ──► RUNNING ──► PAUSED ──► (OPENING | CLOSED)
       ▲                        │  │
       └──────── BACKOFF ◄──────┘  └──► FENCED ──► OPENING, when the group says that the lane is still ours

Opening fences older owners first, then restores state, then reads the committed offsets: in any other order
an older owner's late commit could be missed. Every failure goes the same way: drop what is staged and queued,
and open again, which settles a commit whose outcome is unknown.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count

from schemas.errors import RetryLater, StopWorker
from streams.backoff import Backoff
from streams.cancellation import asked_to_end
from streams.lanes.bisection import Bisection
from streams.lanes.lane_config import LaneParts
from streams.lanes.observer import BatchReport, LaneState
from streams.lanes.processor import Processor
from streams.lanes.record_buffer import Batch, LaneQueue
from streams.lanes.transactional_writer import Fenced
from streams.records import Output, Partition, Record
from streams.state.tables import StateDamaged, Tables

# Every opening of every lane has an epoch of its own, so that no delivery is ever taken for a later one.
_EPOCHS = count(1)


class Lane:
    """One agent's partition: `offer` feeds it; `start`, `pause` and `close` follow the assignments."""

    def __init__(self, processor: Processor, partition: int, parts: LaneParts) -> None:
        self.processor = processor
        self.partition = partition
        self.parts = parts
        self.inputs = [Partition(topic, partition) for topic in processor.topics]
        self.state = LaneState.PAUSED
        self.epoch = 0
        self.next_offsets: dict[Partition, int] = {}
        self._queue = LaneQueue(self.inputs, parts.limits.batch_records, parts.limits.batch_bytes)
        self._arrived = asyncio.Event()
        self._stopping = False
        self._clean = False
        self._settling = False
        self._rebuilt = False
        self._bisection = Bisection(processor, parts.limits, self._dead_letter)
        self._tables: Tables | None = None
        self._task: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._backoff = Backoff(parts.limits.backoff_min_s, parts.limits.backoff_max_s)

    def __str__(self) -> str:
        return f"{self.processor.name}-{self.partition}"

    # What the consumer's side calls

    @property
    def queued_bytes(self) -> int:
        """Bytes of records that wait in this lane."""
        return self._queue.bytes

    def sizes(self) -> dict[str, tuple[int, int]]:
        """About how many rows each table has, and their bytes; nothing while the tables are closed."""
        return {} if self._tables is None else {table.spec.name: table.store.size() for table in self._tables}

    @property
    def idle(self) -> bool:
        """Whether the lane runs and has nothing to do."""
        return self.state is LaneState.RUNNING and not self._queue and not self._settling

    def wants(self, at: Partition) -> bool:
        """Whether more records of this input may be fetched: one input's backlog does not hold up another."""
        return self.state is LaneState.RUNNING and self._queue.bytes_of(at) < self.parts.limits.batch_bytes

    def offer(self, at: Partition, records: Sequence[Record], epoch: int) -> None:
        """Queue records of one input; those fetched before the lane last opened, or seen before, are dropped.

        Args:
            at: the input.
            records: in offset order, at least one.
            epoch: that of the seek after which they were fetched.
        """
        if epoch != self.epoch or self.state is not LaneState.RUNNING:
            return
        if self._queue.offer(at, records):
            self._arrived.set()

    # What the group's assignments call

    def start(self, *, fresh: bool) -> None:
        """Begin or go on. `fresh`: somebody else may have owned the lane since it was paused."""
        if self._task is not None:
            return
        if fresh:
            self._clean = False
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name=f"lane {self}")
        self._task.add_done_callback(self._ended)

    async def pause(self, budget_s: float) -> None:
        """Finish the batch in work within the budget, or undo it; nothing more is written afterwards."""
        self._stopping = True
        self._arrived.set()
        task, self._task = self._task, None
        if task is not None:
            await asyncio.wait({task}, timeout=budget_s if self.state is LaneState.RUNNING else 0)
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
            self._leaving = None if task.done() else task
        self._drop_queued()
        if self.state is not LaneState.CLOSED:
            self._change(LaneState.PAUSED)

    async def close(self, budget_s: float) -> None:
        """Pause for good and release everything."""
        await self.pause(budget_s)
        await self.parts.writer.close()
        self._close_tables()
        self._change(LaneState.CLOSED)

    # The lane's own life

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.parts.stop(error)

    async def _run(self) -> None:
        if self._leaving is not None:
            # Two tasks must not work on one lane's tables.
            await asyncio.wait({self._leaving})
        while not self._stopping:
            try:
                await self._open()
                await self._work()
            except asyncio.CancelledError:
                self._clean = False
                # A thread may still be at work on these tables: the next opening takes fresh ones.
                self._close_tables()
                if asked_to_end():
                    raise
                await self._recover(RetryLater("a client gave up what the lane was waiting for"))
            except StopWorker:
                self._clean = False
                raise
            except Exception as error:
                self._clean = False
                if asked_to_end():
                    # What it waited for failed before it could be cancelled. The lane is paused or closed by
                    # now, and what this task said of it would stay.
                    return
                await self._recover(error)
            finally:
                if self._tables is not None:
                    self._tables.discard()
                self._drop_queued()

    async def _recover(self, error: Exception) -> None:
        """Wait as the error demands before opening again."""
        self.parts.observer.batch_failed(self, error)
        self._drop_queued()
        if isinstance(error, StateDamaged) and self._tables is not None:
            if self._rebuilt:
                raise StopWorker(
                    f"lane {self} cannot read state that it has just restored: {error}. Its changelog was"
                    " written by another version of shelfstream, or is damaged; run that version again"
                ) from error
            self._rebuilt = True
            with suppress(Exception):
                self._tables.wipe()
        self._close_tables()
        if isinstance(error, Fenced):
            # The newer owner is right until the group tells us otherwise: opening at once would fence it.
            # An assignment cancels this wait; without one for so long, a member is still the owner.
            self._change(LaneState.FENCED, str(error))
            await asyncio.sleep(self.parts.limits.fenced_patience_s)
            while not self.parts.is_member():  # noqa: ASYNC110 - nobody would set an event
                await asyncio.sleep(self.parts.limits.fenced_patience_s)
            return
        self._change(LaneState.BACKOFF, f"{type(error).__name__}: {error}")
        await asyncio.sleep(self._backoff.next())

    async def _open(self) -> None:
        parts = self.parts
        if not self._clean:
            self._change(LaneState.OPENING)
            await parts.writer.open()
            self._change(LaneState.RESTORING)
            if self._tables is None:
                self._tables = parts.open_tables()
            await parts.restore(
                self._tables, lambda at, remaining: parts.observer.lane_restoring(self, at, remaining)
            )
            self.next_offsets = {at: await parts.inputs.committed(at) for at in self.inputs}
            self._clean = True
        self._settling = False
        self.epoch = next(_EPOCHS)
        self._queue.restart(self.next_offsets)
        await parts.inputs.seek(self.next_offsets, self.epoch)
        self._change(LaneState.RUNNING)

    async def _work(self) -> None:
        while not self._stopping:
            batch = await self._next_batch()
            if batch is not None:
                await self._settle(batch, self._opened_tables)
                self._backoff.reset()

    async def _next_batch(self) -> Batch | None:
        """The next records of the first input that has some; None when the lane is to stop."""
        limits = self.parts.limits
        while not self._stopping:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            if limits.linger_s and self._queue.bytes < limits.batch_bytes // 4:
                await asyncio.sleep(limits.linger_s)
            batch = self._queue.take()
            self.parts.changed()
            return batch
        return None

    @property
    def _opened_tables(self) -> Tables:
        if self._tables is None:
            raise RetryLater(f"the tables of lane {self} are not open")
        return self._tables

    def _close_tables(self) -> None:
        tables, self._tables = self._tables, None
        if tables is not None:
            tables.close()

    async def _settle(self, batch: Batch, tables: Tables) -> None:
        """Process, commit, apply. An exception leaves staged changes for `_run` to discard."""
        parts = self.parts
        at, records, size = batch
        self._settling = True
        started = parts.clock()
        outputs, changes = await self._bisection.process(records, tables)
        changelog = tables.changelog(changes)
        await parts.admit(sum(1 for output in outputs if output.topic == "dead-letter"))
        processed = parts.clock()
        next_offset = records[-1].offset + 1
        self._clean = False
        written = await parts.writer.commit([*outputs, *changelog], {at: next_offset})
        tables.apply(changes, written, int(time.time() * 1000))
        self._clean = True
        self._settling = False
        self._rebuilt = False
        self.next_offsets[at] = next_offset
        report = BatchReport(
            at=at,
            records=len(records),
            size=size,
            outputs=outputs,
            next_offset=next_offset,
            last_timestamp=records[-1].timestamp,
            process_s=processed - started,
            commit_s=parts.clock() - processed,
        )
        parts.observer.batch_committed(self, report)

    def _dead_letter(self, record: Record, error: Exception) -> Output:
        self.parts.observer.record_dead_lettered(self, record, error)
        return self.parts.dead_letter(record, error, self.processor.name)

    def _drop_queued(self) -> None:
        self._queue.clear()
        self.parts.changed()

    def _change(self, state: LaneState, detail: str = "") -> None:
        self.state = state
        self.parts.observer.lane_changed(self, state, detail)
        self.parts.changed()
