"""A lane: one partition of an agent's inputs, with its state and its transactional writer.

The states, and all ways between them:

                    start, must fence                start, still restored
            ┌────────────────────────── PAUSED ──────────────────────────┐
            ▼                                                            ▼
    ┌─► OPENING ─────────────────► RESTORING ────────────────────────► RUNNING ──┐ process and commit
    │   fence older owners         restore tables from changelogs,      │   ▲    │ one batch
    │                              read committed offsets, seek         │   └────┘
    │       │                           │                               │
    │       └───────────────────────────┴───────────────┬───────────────┘
    │                                                   │ failure: undo the batch, close the tables
    ├── after a pause that grows ──────────────────── BACKOFF   any error except the following
    ├── after a wait, if a member of the group ────── FENCED    another worker opened the lane
    │                                                 (the task ends, the worker stops)    StopWorker
    │
    │   any state ── pause ──► PAUSED ── close ──► CLOSED      RUNNING ── start ──► RUNNING, seeks again
    │
    └ A pause lets RUNNING finish its batch within a budget, and undoes the batch after that. It interrupts
      every other state at once. A seek from PAUSED that fails goes to BACKOFF or FENCED, as above.

The lane fences first, then restores its state, then reads the committed offsets. In any other order it could
miss the last commit of an older owner. Each failure goes the same way, and so settles a commit whose outcome
is unknown.

What is open is in `Opening`. `_task` is the task in charge: `pause` takes charge from it, and the task ends
after its batch. A task that does not end when it is cancelled delays its successor.
"""

import asyncio
from collections.abc import Mapping, Sequence

from schemas.errors import RetryLater, StopWorker
from streams.backoff import Backoff
from streams.cancellation import is_being_cancelled
from streams.lanes.batch_pace import BatchPace
from streams.lanes.batch_transaction import BatchTransaction
from streams.lanes.bisection import Bisection
from streams.lanes.lane_input import LaneInput
from streams.lanes.observer import LaneState, Observer
from streams.lanes.opening import FailureHistory, Opening
from streams.lanes.processor import Processor
from streams.lanes.runtime import LaneLimits, LaneRuntime
from streams.lanes.transactional_writer import Fenced, TransactionalWriter
from streams.records import Output, Partition, Record
from streams.state.tables import StateDamaged, Tables

_CANCEL_TIMEOUT_S = 1.0


class Lane:
    """One partition of an agent's inputs. The consumer calls `offer`; assignments call the other methods.

    Args:
        processor: Processes batches.
        partition: The partition number of all inputs.
        writer: The lane's own transactional writer.
        runtime: What the worker does for its lanes.
        observer: Receives states and committed batches.
        limits: Sizes and waiting times.
    """

    def __init__(
        self,
        processor: Processor,
        partition: int,
        *,
        writer: TransactionalWriter,
        runtime: LaneRuntime,
        observer: Observer,
        limits: LaneLimits,
    ) -> None:
        self.agent = processor.name
        self.topics = tuple(processor.topics)
        self.partition = partition
        self.inputs = tuple(Partition(topic, partition) for topic in self.topics)
        self.state = LaneState.PAUSED
        self._writer = writer
        self._runtime = runtime
        self._observer = observer
        self._limits = limits
        bisection = Bisection(processor, limits, self._dead_letter)
        self._transaction = BatchTransaction(bisection, writer, runtime, limits.catch_up_s)
        self._pace = BatchPace(limits.batch_records, limits.batch_s)
        self._input = LaneInput(self.inputs, limits, runtime)
        self._opening = Opening()
        self._failures = FailureHistory(str(self), Backoff(limits.backoff_min_s, limits.backoff_max_s))
        self._task: asyncio.Task[None] | None = None
        self._unfinished: set[asyncio.Task[None]] = set()

    def __str__(self) -> str:
        return f"{self.agent}-{self.partition}"

    # What the consumer and observers call

    @property
    def next_offsets(self) -> Mapping[Partition, int]:
        """The next offset of each input, as last committed or read. Empty before the first opening."""
        return self._opening.next_offsets

    @property
    def buffered_bytes(self) -> int:
        """Bytes of records that wait in this lane."""
        return self._input.bytes

    def table_sizes(self) -> dict[str, tuple[int, int]]:
        """Return about how many rows and bytes each table has, by name. Empty while tables are closed."""
        return self._opening.table_sizes()

    @property
    def tables(self) -> Tables | None:
        """The tables while the lane runs, for readers of committed rows; None else."""
        return self._opening.tables if self.state is LaneState.RUNNING else None

    @property
    def idle(self) -> bool:
        """Whether the lane runs and has no record to process or commit."""
        return self.state is LaneState.RUNNING and not self._input and self._opening.batch is None

    def has_capacity(self, at: Partition) -> bool:
        """Return whether more records of an input may be fetched. Each input has a capacity of its own."""
        accepts = self.state is LaneState.RUNNING and self._opening.reset_reason is None
        return accepts and self._input.has_capacity(at)

    def offer(self, at: Partition, records: Sequence[Record], epoch: int) -> None:
        """Buffer records of one input, which were fetched after the seek of this epoch; see `LaneInput`."""
        if self.state is LaneState.RUNNING:
            self._input.offer(at, records, epoch)

    def reset_input(self, reason: str) -> None:
        """Open again, because the log of an input changed. The opening finds out how; `reason` is logged."""
        self._opening.reset_reason = reason
        self._input.wake()

    # What assignments call

    def start(self, *, must_fence: bool) -> None:
        """Start the lane, or continue after a pause. A lane that was not paused seeks again and goes on.

        Args:
            must_fence: Whether another worker may have owned the lane since it was paused.
        """
        if self._task is not None:
            self._input.lose_position()
            return
        if must_fence:
            self._opening.restored = False
        self._task = asyncio.create_task(self._run(), name=f"lane {self}")
        self._unfinished.add(self._task)
        self._task.add_done_callback(self._ended)

    async def pause(self, budget_s: float) -> None:
        """Commit the current batch within the budget, or undo it. Nothing is written afterwards.

        Args:
            budget_s: Seconds.
        """
        task, self._task = self._task, None
        self._input.wake()
        if task is not None:
            await asyncio.wait({task}, timeout=budget_s if self.state is LaneState.RUNNING else 0)
            if task.cancel():
                self._opening.report_rolled_back(self, self._observer)
            await asyncio.wait({task}, timeout=_CANCEL_TIMEOUT_S)
        self._drop_buffered()
        if self.state is not LaneState.CLOSED:
            self._change(LaneState.PAUSED)

    async def close(self, budget_s: float) -> None:
        """Pause for good and release the writer and the tables.

        Args:
            budget_s: Seconds for the current batch.
        """
        await self.pause(budget_s)
        await self._writer.close()
        self._opening.close()
        self._change(LaneState.CLOSED)

    # The lane's task

    @property
    def _in_charge(self) -> bool:
        """Whether the running task is the one that was started last, and not paused since."""
        return self._task is asyncio.current_task()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._runtime.stop(error)

    async def _run(self) -> None:
        if predecessors := {task for task in self._unfinished if task is not asyncio.current_task()}:
            # Two tasks must not use the tables of one lane. What these leave behind is not trusted.
            await asyncio.wait(predecessors)
            self._opening.restored = False
        while self._in_charge:
            try:
                await self._open()
                await self._work()
            except asyncio.CancelledError:
                # A thread may still use the tables: the next opening takes new ones.
                self._opening.close()
                if is_being_cancelled():
                    raise
                await self._recover(RetryLater("a client cancelled the request that the lane waited for"))
            except StopWorker:
                self._opening.restored = False
                raise
            except Exception as error:
                self._opening.restored = False
                if is_being_cancelled():
                    # The lane is paused or closed by now: this task must not report or change anything.
                    return
                await self._recover(error)
            finally:
                self._opening.undo()
                self._drop_buffered()

    async def _open(self) -> None:
        opening, runtime = self._opening, self._runtime
        if not opening.restored or opening.reset_reason is not None:
            opening.reset_reason = None
            self._change(LaneState.OPENING)
            await self._writer.open()
            self._change(LaneState.RESTORING)
            if opening.tables is None:
                opening.tables = runtime.open_tables(self.agent, self.partition)
            await runtime.restore(
                opening.tables, lambda at, remaining: self._observer.lane_restoring(self, at, remaining)
            )
            expired = await self._transaction.find_start(opening, self.inputs)
            opening.restored = True
            for at, offsets in expired.items():
                self._observer.records_expired(self, at, offsets)
        await self._input.restart(opening.next_offsets)
        if self._in_charge:
            self._change(LaneState.RUNNING)

    async def _work(self) -> None:
        """Process and commit batches until the lane is paused."""
        while self._in_charge:
            self._opening.raise_if_reset()
            await self._input.restore_position()
            self._observer.caught_up(self, await self._transaction.catch_up(self._opening))
            if not self._input:
                await self._input.wait()
                continue
            if self._limits.linger_s and self._input.bytes < self._limits.batch_bytes // 4:
                await asyncio.sleep(self._limits.linger_s)
            batch = self._input.take(self._pace.records)
            self._runtime.capacity_changed()
            report = await self._transaction.run(batch, self._opening)
            self._failures.reset()
            self._pace.observe(report.records, report.process_s)
            self._observer.batch_committed(self, report)

    # Failures

    async def _recover(self, error: Exception) -> None:
        """Close what is open, and wait as the error requires before the next opening.

        Raises:
            StopWorker: The tables cannot be read although they were just restored.
        """
        if isinstance(error, Fenced) and not self._in_charge:
            # The new owner of a lane that leaves was faster.
            self._opening.report_rolled_back(self, self._observer)
        else:
            self._observer.batch_failed(self, error)
        self._drop_buffered()
        if isinstance(error, StateDamaged) and (tables := self._opening.tables) is not None:
            self._failures.wipe(tables, error)
        self._opening.close()
        if not self._in_charge:
            return
        if isinstance(error, Fenced):
            # Reopening would fence the newer owner. Without an assignment for so long a member owns the lane.
            self._change(LaneState.FENCED, str(error))
            await asyncio.sleep(self._limits.fenced_wait_s)
            while not self._runtime.is_member():  # noqa: ASYNC110 - nothing would set an event
                await asyncio.sleep(self._limits.fenced_wait_s)
        else:
            self._change(LaneState.BACKOFF, f"{type(error).__name__}: {error}")
            await asyncio.sleep(self._failures.backoff.next())

    def _dead_letter(self, record: Record, error: Exception) -> Output:
        self._observer.record_dead_lettered(self, record, error)
        return self._runtime.dead_letter(record, error, self.agent)

    def _drop_buffered(self) -> None:
        self._input.drop()
        self._runtime.capacity_changed()

    def _change(self, state: LaneState, detail: str = "") -> None:
        self.state = state
        self._observer.lane_changed(self, state, detail)
        self._runtime.capacity_changed()
