"""A lane is exactly once: after any failure each record counts once, in order, and so does state."""

import asyncio
import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RetryLater, StopWorker
from streams.lanes.runtime import LaneLimits
from streams.records import Output, Record
from streams.state.stores import MemoryStore
from streams.state.tables import Tables
from tests.support.lanes import COUNTS, INPUT, URGENT, Bench, expected_counts, grouped

records_of = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([b"x", b"x", b"x", b"poison"])),
    max_size=40,
)


def faults(seed: int, share: float) -> Callable[[str], None]:
    """Fail a share of the commits: half before anything is written, half afterwards (the answer is lost)."""
    dice = random.Random(seed)

    def fault(moment: str) -> None:
        if dice.random() < share / 2:
            raise RetryLater(f"the broker went away {moment} the commit")

    return fault


@given(records_of, st.integers(0, 2**16), st.integers(1, 12), st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_each_record_counts_once_whatever_commits_fail(
    records: list[tuple[bytes, bytes]], seed: int, fetch: int, delay: int
) -> None:
    """Commits that fail, and commits whose answer is lost, neither lose nor repeat a record."""

    async def scenario() -> Bench:
        bench = Bench(fault=faults(seed, 0.4))
        bench.write(records)
        worker = bench.worker()
        worker.delay = delay
        worker.lane.start(must_fence=True)
        await worker.drain(fetch)
        await worker.lane.close(60.0)
        return bench

    bench = asyncio.run(scenario())
    assert grouped(bench.counts()) == expected_counts(records)


@given(records_of, st.integers(0, 2**16), st.booleans())
@settings(max_examples=60, deadline=None)
def test_workers_that_die_and_take_over_lose_and_repeat_nothing(
    records: list[tuple[bytes, bytes]], seed: int, keeps_state: bool
) -> None:
    """Another worker follows a worker that was cancelled at a random moment, with or without its state."""

    async def scenario() -> Bench:
        dice = random.Random(seed)
        bench = Bench(fault=faults(seed, 0.2))
        bench.write(records)
        store = MemoryStore()
        for _ in range(5):
            worker = bench.worker(store if keeps_state else None)
            worker.lane.start(must_fence=True)
            for _ in range(dice.randrange(60)):
                worker.pump(3)
                await asyncio.sleep(0)
            task = worker.lane._task
            assert task is not None
            task.cancel()
            await asyncio.wait({task})
        last = bench.worker(store if keeps_state else None)
        last.lane.start(must_fence=True)
        await last.drain()
        await last.lane.close(60.0)
        return bench

    bench = asyncio.run(scenario())
    assert grouped(bench.counts()) == expected_counts(records)


@given(records_of, st.integers(0, 2**16), st.integers(1, 4), st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_pauses_at_any_moment_lose_and_repeat_nothing(
    records: list[tuple[bytes, bytes]], seed: int, fetch: int, delay: int
) -> None:
    """Rebalances that keep the lane here change nothing, also while deliveries are in flight."""

    async def scenario() -> Bench:
        dice = random.Random(seed)
        bench = Bench()
        bench.write(records)
        worker = bench.worker()
        worker.delay = delay
        for _ in range(6):
            worker.lane.start(must_fence=dice.random() < 0.3)
            for _ in range(dice.randrange(25)):
                worker.pump(fetch)
                await asyncio.sleep(0)
            await worker.lane.pause(dice.choice([0.0, 1.0]))
            for _ in range(dice.randrange(3)):
                worker.pump(fetch)
        worker.lane.start(must_fence=False)
        await worker.drain(fetch)
        await worker.lane.close(60.0)
        return bench

    bench = asyncio.run(scenario())
    assert grouped(bench.counts()) == expected_counts(records)


@given(records_of, st.integers(0, 2**16), st.integers(1, 4), st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_a_lane_goes_on_through_rebalances_that_leave_it_here(
    records: list[tuple[bytes, bytes]], seed: int, fetch: int, delay: int
) -> None:
    """The consumer's position is the committed one afterwards. The lane does not pause, fence or restore."""

    async def scenario() -> Bench:
        dice = random.Random(seed)
        bench = Bench()
        bench.write(records)
        worker = bench.worker()
        worker.delay = delay
        worker.lane.start(must_fence=True)
        for _ in range(6):
            for _ in range(dice.randrange(25)):
                worker.pump(fetch)
                await asyncio.sleep(0)
            for at in (INPUT, URGENT):
                worker.runtime.consumer.positions[at] = bench.broker.offsets.get(("group", at), 0)
            for _ in range(dice.randrange(3)):
                worker.pump(fetch)
            worker.lane.start(must_fence=False)
        await worker.drain(fetch)
        await worker.lane.close(60.0)
        return bench

    bench = asyncio.run(scenario())
    assert grouped(bench.counts()) == expected_counts(records)
    assert bench.broker.epochs["lane"] == 1


@given(records_of.filter(len), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_a_zombie_changes_nothing(records: list[tuple[bytes, bytes]], moment: int) -> None:
    """An older owner is fenced after a newer one has opened, and nothing of its work is visible."""

    async def scenario() -> Bench:
        bench = Bench(limits=LaneLimits(batch_records=5, fenced_wait_s=30.0))
        bench.write(records)
        zombie, owner = bench.worker(), bench.worker()
        zombie.lane.start(must_fence=True)
        for _ in range(moment):
            zombie.pump(2)
            await asyncio.sleep(0)
        owner.lane.start(must_fence=True)
        for _ in range(200):
            zombie.pump(2)
            await asyncio.sleep(0)
        await owner.drain()
        await zombie.lane.close(0.0)
        await owner.lane.close(60.0)
        return bench

    bench = asyncio.run(scenario())
    assert grouped(bench.counts()) == expected_counts(records)


async def test_poison_goes_to_the_dead_letters_with_its_own_bytes() -> None:
    """In a batch where every other record is poison, only those become dead letters, and the others count."""
    bench = Bench()
    records = [(b"k%d" % number, b"poison" if number % 2 else b"x") for number in range(20)]
    bench.write(records)
    worker = bench.worker()
    worker.lane.start(must_fence=True)
    await worker.drain(20)
    await worker.lane.close(60.0)
    dead_lettered = bench.broker.read("dead-letter")
    assert [(record.key, record.value) for record in dead_lettered] == [
        each for each in records if each[1] == b"poison"
    ]
    assert grouped(bench.counts()) == expected_counts(records)


async def test_urgent_input_goes_first() -> None:
    """Records of the first topic overtake a backlog of the second."""
    bench = Bench()
    worker = bench.worker()
    worker.lane.start(must_fence=True)
    await worker.running()
    bench.write([(b"k", b"slow")] * 30)
    bench.write([(b"k", b"urgent")], URGENT)
    worker.pump(30)
    await worker.drain()
    await worker.lane.close(60.0)
    assert worker.processor.batches[0] == [b"urgent"]


async def test_a_pause_commits_the_batch_and_continues_without_opening_again() -> None:
    """After a rebalance that keeps the lane here it continues without fencing or restoring."""
    bench = Bench()
    bench.write([(b"k", b"x")] * 10)
    worker = bench.worker()
    worker.lane.start(must_fence=True)
    await worker.drain()
    epoch = bench.broker.epochs["lane"]
    await worker.lane.pause(1.0)
    bench.write([(b"k", b"x")] * 10)
    worker.lane.start(must_fence=False)
    await worker.drain()
    await worker.lane.close(60.0)
    assert bench.broker.epochs["lane"] == epoch
    assert grouped(bench.counts()) == {b"k": [b"%d" % number for number in range(1, 21)]}


async def test_stale_deliveries_are_dropped() -> None:
    """Records that were fetched before the last seek are not mistaken for the next ones."""
    bench = Bench()
    bench.write([(b"k", b"x")] * 10)
    worker = bench.worker()
    worker.lane.start(must_fence=True)
    await worker.running()
    epoch = worker.runtime.consumer.epochs[INPUT]
    stale = bench.broker.logs[INPUT][5:]
    await worker.lane.pause(1.0)
    worker.lane.start(must_fence=False)
    await worker.running()
    worker.lane.offer(INPUT, stale, epoch)
    await worker.drain()
    await worker.lane.close(60.0)
    assert grouped(bench.counts()) == {b"k": [b"%d" % number for number in range(1, 11)]}


async def test_a_record_with_an_output_that_is_too_large_is_dead_lettered_alone() -> None:
    """The output exceeds the broker's limit. The other records of the batch are processed."""
    bench = Bench(limits=LaneLimits(output_bytes=1_000))
    worker = bench.worker()

    async def process(records: list[Record], tables: Tables) -> list[Output]:
        return [Output("out", 0, record.key, (record.value or b"") * 500) for record in records]

    worker.processor.process = process  # type: ignore[assignment, method-assign]
    bench.write([(b"a", b"x"), (b"b", b"xxx"), (b"c", b"x")])
    worker.lane.start(must_fence=True)
    await worker.drain()
    await worker.lane.close(60.0)
    assert [record.key for record in bench.broker.read("out")] == [b"a", b"c"]
    assert [record.key for record in bench.broker.read("dead-letter")] == [b"b"]


async def test_damaged_state_is_rebuilt_from_the_changelog() -> None:
    """A row that cannot be decoded makes the lane wipe and restore. No record becomes a dead letter."""
    bench = Bench()
    bench.write([(b"k", b"x")] * 3)
    store = MemoryStore()
    worker = bench.worker(store)
    worker.lane.start(must_fence=True)
    await worker.drain()
    await worker.lane.close(60.0)
    checkpoint = store.checkpoint()
    assert checkpoint is not None
    store.apply({b"k": b"damaged"}, checkpoint)
    bench.write([(b"k", b"x")])
    again = bench.worker(store)
    again.lane.start(must_fence=True)
    await again.drain()
    await again.lane.close(60.0)
    assert bench.counts()[-1] == (b"k", b"4")
    assert bench.broker.read("dead-letter") == []
    assert store.get(b"k") == b"4"
    assert COUNTS.decode(b"4") == 4


async def test_stop_worker_reaches_the_worker() -> None:
    """A processor that raises StopWorker stops the worker, and nothing is committed."""
    bench = Bench()
    worker = bench.worker()

    async def process(records: list[Record], tables: Tables) -> list[Output]:
        raise StopWorker("the model's taxonomy is another one")

    worker.processor.process = process  # type: ignore[assignment, method-assign]
    bench.write([(b"a", b"x")])
    worker.lane.start(must_fence=True)
    while not bench.stopped:
        worker.pump()
        await asyncio.sleep(0)
    await worker.lane.close(60.0)
    assert isinstance(bench.stopped[0], StopWorker)
    assert bench.broker.offsets == {}
