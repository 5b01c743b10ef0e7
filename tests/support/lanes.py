"""Lanes over the in-memory broker, with a processor that counts. The inputs determine the outputs."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.lanes.lane import Lane
from streams.lanes.memory import MemoryBroker, MemoryConsumer, MemoryReader, MemoryTransactionalWriter
from streams.lanes.observer import LaneState, Observer
from streams.lanes.processor import Processor
from streams.lanes.runtime import LaneLimits, Progress
from streams.lanes.start_offsets import StartOffset
from streams.records import Output, Partition, ReadPosition, Record
from streams.state.restoration import restore
from streams.state.stores import MemoryStore, Store
from streams.state.tables import Table, Tables, TableSpec

INPUT = Partition("in", 0)
URGENT = Partition("urgent", 0)
OUTPUT = Partition("out", 0)
DEAD = Partition("dead-letter", 0)
COUNTS: TableSpec[int] = TableSpec("counts", "counts-changelog", lambda row: b"%d" % row, int)
QUICK = LaneLimits(batch_records=7, backoff_min_s=0.0001, backoff_max_s=0.001, fenced_wait_s=0.002)


class Counting:
    """Counts each key's records in a table and writes key and count; a value of `poison` raises."""

    name = "counting"
    topics = ("urgent", "in")

    def __init__(self) -> None:
        self.batches: list[list[bytes | None]] = []

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """See `Processor`."""
        self.batches.append([record.value for record in records])
        table, outputs = tables.of(COUNTS), []
        for record in records:
            if record.value == b"poison":
                raise ValueError("poison")
            await asyncio.sleep(0)
            key = record.key or b""
            count = (table.get(key) or 0) + 1
            table.put(key, count)
            outputs.append(Output(OUTPUT.topic, 0, key, b"%d" % count))
        return outputs


class MemoryRuntime:
    """A lane's runtime over a `MemoryBroker`.

    Args:
        bench: The broker, and where errors that stop the worker are kept.
        store: The store of the table `COUNTS`.
    """

    def __init__(self, bench: "Bench", store: Store) -> None:
        self.consumer = MemoryConsumer(bench.broker, "group")
        self.member = True
        self._bench = bench
        self._store = store
        self._reader = MemoryReader(bench.broker, chunk=3)

    def open_tables(self, agent: str, partition: int) -> Tables:
        return Tables([Table(COUNTS, self._store)], partition)

    async def restore(self, tables: Tables, progress: Progress) -> None:
        await restore(tables, self._reader, progress, now_ms=0)

    async def start_offset(self, at: Partition, in_state: ReadPosition | None) -> StartOffset:
        return await self.consumer.start_offset(at, in_state)

    def topic_id(self, at: Partition) -> str:
        return ""

    async def seek(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        await self.consumer.seek(offsets, epoch)

    def is_member(self) -> bool:
        return self.member

    def dead_letter(self, record: Record, error: Exception, stage: str) -> Output:
        """A dead letter with the record's own bytes."""
        return Output(DEAD.topic, DEAD.partition, record.key, record.value, [("error", str(error).encode())])

    async def throttle(self, dead_letters: int) -> None:
        await asyncio.sleep(0)

    def capacity_changed(self) -> None:
        """Nothing waits for capacity."""

    def stop(self, error: BaseException) -> None:
        self._bench.stopped.append(error)


@dataclass
class Bench:
    """A broker, and lanes that share its group and transactional id as workers would."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)
    fault: Callable[[str], None] = lambda moment: None
    limits: LaneLimits = QUICK
    stopped: list[BaseException] = field(default_factory=list)

    def write(self, records: Sequence[tuple[bytes, bytes]], at: Partition = INPUT) -> None:
        """Append (key, value) records to an input."""
        for key, value in records:
            self.broker.append(Output(at.topic, at.partition, key, value))

    def worker(
        self,
        store: Store | None = None,
        observer: Observer | None = None,
        processor: Processor | None = None,
    ) -> "Worker":
        """A worker with a lane of its own, not started; it counts, unless there is another processor."""
        return Worker(self, store or MemoryStore(), observer or Observer(), processor)

    def counts(self) -> list[tuple[bytes | None, bytes | None]]:
        """What was written to the output."""
        return [(record.key, record.value) for record in self.broker.read(OUTPUT.topic)]


class Worker:
    """One lane and the consumer that feeds it."""

    def __init__(
        self, bench: Bench, store: Store, observer: Observer, processor: Processor | None = None
    ) -> None:
        self.bench = bench
        self.processor = Counting()
        self.runtime = MemoryRuntime(bench, store)
        self.writer = MemoryTransactionalWriter(
            bench.broker, "lane", "group", lambda moment: bench.fault(moment)
        )
        self.lane = Lane(
            processor or self.processor,
            0,
            writer=self.writer,
            runtime=self.runtime,
            observer=observer,
            limits=bench.limits,
        )
        self.delay = 0
        self.ready: dict[Partition, bool] = {}
        self._in_flight: deque[list[tuple[Partition, Sequence[Record], int]]] = deque()

    async def running(self) -> None:
        """Wait until the lane is open."""
        for _ in range(10_000):
            if self.lane.state is LaneState.RUNNING:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"the lane is {self.lane.state}")

    def pump(self, most: int = 5) -> None:
        """Deliver what was fetched `delay` calls ago, then fetch from each input that has capacity.

        Between fetch and delivery the lane may fail, pause, seek and open again, as it may with Kafka.
        """
        while len(self._in_flight) > self.delay:
            for at, records, epoch in self._in_flight.popleft():
                self.lane.offer(at, records, epoch)
        fetched = []
        for at in (URGENT, INPUT):
            if self.ready.get(at):
                records, epoch = self.runtime.consumer.fetch(at, most)
                if records:
                    fetched.append((at, records, epoch))
            # A fetch goes on for a while: what it brings was asked for before.
            self.ready[at] = self.lane.has_capacity(at)
        self._in_flight.append(fetched)

    async def drain(self, most: int = 5, patience: int = 5_000) -> None:
        """Feed the lane until everything in the input is committed."""
        for _ in range(patience):
            self.pump(most)
            await asyncio.sleep(0)
            if self.lane.state is not LaneState.RUNNING:
                await asyncio.sleep(0.0005)
            offsets = self.bench.broker.offsets
            behind = [
                at
                for at in (URGENT, INPUT)
                if offsets.get(("group", at), 0) < len(self.bench.broker.logs[at])
            ]
            if not behind:
                return
        raise AssertionError(f"not drained: the lane is {self.lane.state}, offsets {offsets}")


def expected_counts(
    records: Sequence[tuple[bytes, bytes]],
) -> dict[bytes, list[bytes]]:
    """For each key the counts that must come out, in order: the oracle."""
    counts: dict[bytes, list[bytes]] = {}
    for key, value in records:
        if value != b"poison":
            seen = counts.setdefault(key, [])
            seen.append(b"%d" % (len(seen) + 1))
    return counts


def grouped(outputs: Sequence[tuple[bytes | None, bytes | None]]) -> dict[bytes, list[bytes]]:
    """Outputs by key, in their order."""
    groups: dict[bytes, list[bytes]] = {}
    for key, value in outputs:
        groups.setdefault(key or b"", []).append(value or b"")
    return groups
