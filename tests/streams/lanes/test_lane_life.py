"""The states of a lane around its batches: restoring, pausing, lingering, throttling, and what it reports."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pytest import MonkeyPatch

from schemas.errors import RetryLater
from streams.lanes.observer import BatchReport, LaneState, LaneView, Observer
from streams.lanes.runtime import LaneLimits, Progress
from streams.records import RECORD_BYTES, Output, Partition, Record
from streams.state.stores import RocksStore
from streams.state.tables import Tables
from tests.support.lanes import COUNTS, INPUT, QUICK, Bench, Worker, expected_counts, grouped


class RecordingObserver(Observer):
    """Records what a lane reports."""

    def __init__(self) -> None:
        self.states: list[LaneState] = []
        self.reports: list[BatchReport] = []
        self.failures: list[BaseException] = []
        self.dead_lettered: list[Record] = []
        self.remaining: list[int] = []
        self.rolled_back: list[tuple[int, float]] = []

    def lane_changed(self, lane: LaneView, state: LaneState, detail: str) -> None:
        self.states.append(state)

    def lane_restoring(self, lane: LaneView, at: Partition, remaining: int) -> None:
        self.remaining.append(remaining)

    def batch_committed(self, lane: LaneView, report: BatchReport) -> None:
        self.reports.append(report)

    def batch_failed(self, lane: LaneView, error: BaseException) -> None:
        self.failures.append(error)

    def batch_rolled_back(self, lane: LaneView, records: int, seconds: float) -> None:
        self.rolled_back.append((records, seconds))

    def record_dead_lettered(self, lane: LaneView, record: Record, error: Exception) -> None:
        self.dead_lettered.append(record)


async def finish(worker: Worker) -> None:
    """Start the lane, process everything, close it."""
    worker.lane.start(must_fence=True)
    await worker.drain()
    await worker.lane.close(60.0)


async def fed(worker: Worker, until: asyncio.Event) -> None:
    """Feed the lane until the event is set."""
    for _ in range(10_000):
        if until.is_set():
            return
        worker.pump(4)
        await asyncio.sleep(0)
    raise AssertionError(f"the lane is {worker.lane.state}")


async def test_a_restarted_worker_reuses_its_state_on_disk(tmp_path: Path) -> None:
    """It continues to count, and reads only the missing part of the changelog."""
    bench = Bench()
    bench.write([(b"k", b"x")] * 10)
    await finish(bench.worker(RocksStore(tmp_path / "counts")))
    bench.write([(b"k", b"x")] * 3)
    observer = RecordingObserver()
    await finish(bench.worker(RocksStore(tmp_path / "counts"), observer))
    assert grouped(bench.counts()) == {b"k": [b"%d" % number for number in range(1, 14)]}
    assert observer.remaining == [0]


async def test_a_lost_disk_is_restored_from_the_changelog(tmp_path: Path) -> None:
    bench = Bench()
    bench.write([(b"k", b"x")] * 10)
    await finish(bench.worker(RocksStore(tmp_path / "counts")))
    bench.write([(b"k", b"x")])
    observer = RecordingObserver()
    await finish(bench.worker(RocksStore(tmp_path / "elsewhere"), observer))
    assert bench.counts()[-1] == (b"k", b"11")
    # The last batch wrote a row and the positions after the restoration.
    assert observer.remaining[0] == len(bench.broker.logs[Partition(COUNTS.changelog, 0)]) - 2
    assert observer.remaining[-1] == 0


async def test_a_restoration_that_fails_is_tried_again(monkeypatch: MonkeyPatch) -> None:
    """No input is read before it has succeeded: counts from partial state would be wrong."""
    bench = Bench()
    bench.write([(b"k", b"x")] * 5)
    await finish(bench.worker())
    bench.write([(b"k", b"x")])
    observer = RecordingObserver()
    worker = bench.worker(observer=observer)
    restore, attempts = worker.runtime.restore, 0

    async def failing(tables: Tables, progress: Progress) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise RetryLater("the broker is away")
        return await restore(tables, progress)

    monkeypatch.setattr(worker.runtime, "restore", failing)
    await finish(worker)
    assert attempts == 3
    assert bench.counts()[-1] == (b"k", b"6")
    assert len(observer.failures) == 2
    assert observer.states.count(LaneState.BACKOFF) == 2


async def test_a_lane_outlives_a_future_that_its_client_cancelled(monkeypatch: MonkeyPatch) -> None:
    """Aiokafka cancels the futures of a dropped connection. The lane itself was not cancelled."""
    bench = Bench()
    bench.write([(b"k", b"x")] * 5)
    worker = bench.worker()
    restore = worker.runtime.restore
    given_up: list[bool] = []

    async def abandoned(tables: Tables, progress: Progress) -> None:
        if not given_up:
            given_up.append(True)
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            return await future
        return await restore(tables, progress)

    monkeypatch.setattr(worker.runtime, "restore", abandoned)
    await finish(worker)
    assert given_up
    assert bench.counts()[-1] == (b"k", b"5")


async def test_a_pause_beyond_its_budget_undoes_the_batch() -> None:
    """The pause does not wait for longer work. The next owner processes the batch again."""
    bench = Bench()
    records = [(b"k", b"x")] * 4
    bench.write(records)
    observer = RecordingObserver()
    stuck = bench.worker(observer=observer)
    process = stuck.processor.process
    entered = asyncio.Event()

    async def endless(batch: Sequence[Record], tables: Tables) -> list[Output]:
        outputs = await process(batch, tables)
        entered.set()
        await asyncio.sleep(3600)
        return outputs

    stuck.processor.process = endless  # type: ignore[assignment, method-assign]
    stuck.lane.start(must_fence=True)
    await fed(stuck, entered)
    async with asyncio.timeout(60.0):
        await stuck.lane.pause(0.01)
    assert stuck.lane.state is LaneState.PAUSED
    assert bench.counts() == []
    assert bench.broker.offsets == {}
    ((lost, seconds),) = observer.rolled_back
    assert lost > 0
    assert seconds > 0
    assert observer.failures == []
    stuck.processor.process = process  # type: ignore[method-assign]
    await finish(stuck)
    assert grouped(bench.counts()) == expected_counts(records)


async def test_a_pause_within_its_budget_commits_the_batch() -> None:
    bench = Bench()
    bench.write([(b"k", b"x")] * 4)
    worker = bench.worker()
    process = worker.processor.process
    entered = asyncio.Event()

    async def slow(batch: Sequence[Record], tables: Tables) -> list[Output]:
        entered.set()
        await asyncio.sleep(0.01)
        return await process(batch, tables)

    worker.processor.process = slow  # type: ignore[assignment, method-assign]
    worker.lane.start(must_fence=True)
    await fed(worker, entered)
    await worker.lane.pause(60.0)
    assert bench.broker.offsets[("group", INPUT)] == len(bench.counts()) == 4
    await worker.lane.close(0.0)


async def test_a_lane_that_restores_is_paused_at_once(monkeypatch: MonkeyPatch) -> None:
    """A long restoration does not delay a rebalance."""
    bench = Bench()
    worker = bench.worker()

    entered = asyncio.Event()

    async def endless(tables: Tables, progress: Progress) -> None:
        entered.set()
        await asyncio.sleep(3600)

    monkeypatch.setattr(worker.runtime, "restore", endless)
    worker.lane.start(must_fence=True)
    await entered.wait()
    assert str(worker.lane.state) == "restoring"
    async with asyncio.timeout(60.0):
        await worker.lane.pause(600.0)
    await worker.lane.close(600.0)
    assert str(worker.lane.state) == "closed"


async def test_dead_letters_are_throttled_before_they_are_written(monkeypatch: MonkeyPatch) -> None:
    """The throttle gets their number, and nothing is committed meanwhile."""
    bench = Bench()
    bench.write([(b"a", b"poison"), (b"b", b"x"), (b"c", b"poison")])
    observer = RecordingObserver()
    worker = bench.worker(observer=observer)
    asked: list[tuple[int, int]] = []

    async def throttle(count: int) -> None:
        asked.append((count, len(bench.broker.read("dead-letter"))))

    monkeypatch.setattr(worker.runtime, "throttle", throttle)
    await finish(worker)
    assert asked == [(2, 0)]
    assert [record.key for record in observer.dead_lettered] == [b"a", b"c"]


async def test_a_fenced_lane_opens_again_only_after_its_wait() -> None:
    """The newer owner keeps the lane, unless the group leaves it here for that long."""
    bench = Bench(limits=LaneLimits(batch_records=7, fenced_wait_s=0.05))
    bench.write([(b"k", b"x")] * 3)
    observer = RecordingObserver()
    worker = bench.worker(observer=observer)
    worker.lane.start(must_fence=True)
    await worker.running()
    await bench.worker().writer.open()
    loop, started = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    await worker.drain()
    assert loop.time() - started >= 0.05
    await worker.lane.close(60.0)
    fenced = observer.states.index(LaneState.FENCED)
    assert observer.states[fenced + 1 : fenced + 4] == [
        LaneState.OPENING,
        LaneState.RESTORING,
        LaneState.RUNNING,
    ]
    assert grouped(bench.counts()) == {b"k": [b"1", b"2", b"3"]}


async def test_a_lane_that_lingers_joins_single_records() -> None:
    """Records that arrive one by one become one batch with one commit."""

    async def batches(linger_s: float) -> int:
        bench = Bench(limits=LaneLimits(linger_s=linger_s))
        worker = bench.worker()
        worker.lane.start(must_fence=True)
        await worker.running()
        bench.write([(b"k", b"x")] * 10)
        for _ in range(15):
            worker.pump(1)
            await asyncio.sleep(0)
        await asyncio.sleep(1.2 * linger_s)
        await worker.drain()
        await worker.lane.close(60.0)
        assert len(bench.counts()) == 10
        return len(worker.processor.batches)

    assert await batches(1.5) == 1
    assert await batches(0.0) > 1


async def test_every_committed_record_is_reported_once() -> None:
    """Counts, offsets, bytes and outputs are those that were committed, also after failed commits."""
    failures = iter([True, False, True, False, False, True])

    def fault(moment: str) -> None:
        if moment == "before" and next(failures, False):
            raise RetryLater("no answer")

    bench = Bench(fault=fault, limits=QUICK)
    records = [(b"key", b"x")] * 30
    bench.write(records)
    observer = RecordingObserver()
    await finish(bench.worker(observer=observer))
    assert sum(report.records for report in observer.reports) == 30
    assert sum(report.size for report in observer.reports) == 30 * (RECORD_BYTES + 4)
    assert sum(len(report.outputs) for report in observer.reports) == 30
    assert [report.next_offset for report in observer.reports][-1] == 30
    assert len(observer.failures) == 3
    assert {report.at for report in observer.reports} == {INPUT}


async def test_an_open_lane_reports_the_size_of_its_tables() -> None:
    bench = Bench()
    bench.write([(b"k%d" % number, b"x") for number in range(5)])
    worker = bench.worker()
    assert worker.lane.table_sizes() == {}
    worker.lane.start(must_fence=True)
    await worker.drain()
    assert worker.lane.table_sizes() == {"counts": (5, 5 * 3)}
    await worker.lane.close(60.0)
    assert worker.lane.table_sizes() == {}


async def test_a_record_that_makes_a_row_too_large_is_dead_lettered() -> None:
    """The broker would refuse the changelog record. The other records of the batch count."""
    bench = Bench(limits=LaneLimits(row_bytes=1))
    bench.write([(b"k", b"x")] * 9 + [(b"k", b"tenth")] + [(b"other", b"x")])
    await finish(bench.worker())
    assert grouped(bench.counts()) == {b"k": [b"%d" % number for number in range(1, 10)], b"other": [b"1"]}
    assert [record.value for record in bench.broker.read("dead-letter")] == [b"tenth"]


async def test_state_that_cannot_be_read_even_after_restoring_stops_the_worker() -> None:
    """The changelog is of another version: the worker says so instead of restoring it again and again."""
    bench = Bench()
    bench.broker.append(Output("counts-changelog", 0, b"k", b"from another version"))
    bench.write([(b"k", b"x")])
    worker = bench.worker()
    worker.lane.start(must_fence=True)
    for _ in range(10_000):
        if bench.stopped:
            break
        worker.pump()
        await asyncio.sleep(0.0002)
    await worker.lane.close(60.0)
    assert "another version" in str(bench.stopped[0])
    assert bench.broker.offsets == {}


async def test_a_fenced_lane_opens_again_only_as_a_member_of_the_group() -> None:
    """A worker that has lost its membership must not take the lane back from its owner."""
    bench = Bench()
    zombie, owner = bench.worker(), bench.worker()
    zombie.runtime.member = False
    bench.write([(b"k", b"x")] * 2)
    zombie.lane.start(must_fence=True)
    await zombie.running()
    owner.lane.start(must_fence=True)
    await owner.drain()
    bench.write([(b"k", b"x")] * 2)
    for _ in range(50):
        zombie.pump()
        await asyncio.sleep(0.001)
    assert zombie.lane.state is LaneState.FENCED
    assert bench.broker.epochs["lane"] == 2
    zombie.runtime.member = True
    for _ in range(1_000):
        await asyncio.sleep(0.001)
        if bench.broker.epochs["lane"] > 2:
            break
    assert bench.broker.epochs["lane"] > 2
    await zombie.lane.close(0.0)
    await owner.lane.close(60.0)


async def test_a_task_that_outlives_its_pause_reports_nothing_and_its_successor_waits(
    monkeypatch: MonkeyPatch,
) -> None:
    """A call to the consumer's thread may swallow a cancellation, and fail after the revocation."""
    observer = RecordingObserver()
    bench = Bench()
    bench.write([(b"k", b"x")] * 3)
    worker = bench.worker(observer=observer)
    seek, answered, asked = worker.runtime.seek, asyncio.Event(), asyncio.Event()

    async def stubborn(offsets: Mapping[Partition, int], epoch: int) -> None:
        asked.set()
        while not answered.is_set():
            with suppress(asyncio.CancelledError):
                await answered.wait()
        raise RuntimeError("no current assignment")

    monkeypatch.setattr(worker.runtime, "seek", stubborn)
    worker.lane.start(must_fence=True)
    await asked.wait()
    await worker.lane.pause(0.0)
    monkeypatch.setattr(worker.runtime, "seek", seek)
    worker.lane.start(must_fence=True)
    await asyncio.sleep(0.05)
    assert observer.states[-1:] == [LaneState.PAUSED], "the successor waits for the task that uses the tables"
    answered.set()
    await worker.drain()
    assert observer.failures == []
    assert LaneState.BACKOFF not in observer.states
    await worker.lane.close(60.0)
    assert observer.states[-1:] == [LaneState.CLOSED]
    assert grouped(bench.counts()) == {b"k": [b"1", b"2", b"3"]}
