"""A batch agent: its loop gets each batch, and what it raises reaches the lane."""

import asyncio
import gc
from collections.abc import Callable

import msgspec
import pytest

from schemas.dead_letters import REASON
from schemas.errors import InvalidEvent, RetryLater, StopWorker
from schemas.keys import partition_for
from streams.agents.dead_letters import DeadLetterBuilder
from streams.lanes.agent import AgentProcessor, BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.lanes.typed_topic import Topic, json_table
from streams.records import MemoryRecord, Output, Partition
from streams.state.stores import MemoryStore
from streams.state.tables import Table, Tables
from tests.support.lanes import Bench, expected_counts, grouped

COUNTS = json_table("counts", "counts-changelog", int)


class View(msgspec.Struct, frozen=True):
    """What the typed topic holds."""

    brand: str


def tables() -> Tables:
    return Tables([Table(COUNTS, MemoryStore())], 0)


def records(*values: bytes, first: int = 0) -> list[MemoryRecord]:
    return [MemoryRecord("in", 0, first + number, 1, b"k", value) for number, value in enumerate(values)]


def processor(agent: BatchAgent) -> AgentProcessor:
    return AgentProcessor(agent, 4, DeadLetterBuilder("group", 4))


async def test_one_call_of_the_function_loops_over_all_batches() -> None:
    """What comes before the loop is done once; each batch's outputs are returned before the next is given."""
    log: list[str] = []

    @batch_agent("in", tables=[COUNTS])
    async def agent(batches: Batches) -> None:
        await asyncio.sleep(0)
        log.append("before the loop")
        async for batch in batches:
            await asyncio.sleep(0)
            batch.send("out", key=None, value=b"%d" % len(batch), partition=3)

    adapter, lane = processor(agent), tables()
    first = await adapter.process(records(b"1", b"2"), lane)
    second = await adapter.process(records(b"3"), lane)
    assert (agent.name, agent.topics, log) == ("agent", ("in",), ["before the loop"])
    assert [first, second] == [[Output("out", 3, None, b"2")], [Output("out", 3, None, b"1")]]


async def test_lanes_do_not_share_a_run() -> None:
    """Two lanes of one agent overlap, and each has a run of its own."""
    started: list[int] = []

    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        run = len(started)
        started.append(run)
        async for batch in batches:
            await asyncio.sleep(0.001)
            batch.send("out", key=b"run", value=b"%d" % run)

    adapter, one, other = processor(agent), tables(), tables()

    async def lane(own: Tables) -> set[bytes | None]:
        return {each.value for _ in range(5) for each in await adapter.process(records(b"x"), own)}

    runs = await asyncio.gather(lane(one), lane(other))
    assert sorted(started) == [0, 1]
    assert [len(values) for values in runs] == [1, 1]
    assert runs[0] != runs[1]


@pytest.mark.parametrize("error", [ValueError("bad"), RetryLater("later"), StopWorker("wrong")])
async def test_what_the_body_raises_reaches_the_lane_and_the_next_batch_gets_a_new_run(
    error: Exception,
) -> None:
    calls: list[int] = []

    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        calls.append(1)
        async for batch in batches:
            if batch.records[0].value == b"raise":
                raise error
            batch.send("out", key=b"k", value=b"v")

    adapter, lane = processor(agent), tables()
    await adapter.process(records(b"x"), lane)
    with pytest.raises(type(error)) as raised:
        await adapter.process(records(b"raise"), lane)
    assert raised.value is error
    assert len(await adapter.process(records(b"x"), lane)) == 1
    assert len(calls) == 2


async def test_a_cancelled_lane_cancels_what_the_body_awaits() -> None:
    """The body runs in the lane's own task: there is nothing that would go on without it."""
    ended: list[str] = []
    entered = asyncio.Event()

    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        async for _ in batches:
            try:
                entered.set()
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

    task = asyncio.create_task(processor(agent).process(records(b"x"), tables()))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


async def test_a_run_ends_with_the_tables_of_its_opening() -> None:
    """Suspended between two batches, the function's `finally` runs when the lane opens again."""
    ended: list[str] = []

    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        try:
            async for _ in batches:
                pass
        finally:
            ended.append("ended")

    adapter, lane = processor(agent), tables()
    await adapter.process(records(b"x"), lane)
    assert ended == []
    del lane
    gc.collect()
    assert ended == ["ended"]


async def test_a_run_stays_in_one_task() -> None:
    """A timeout around the loop belongs to a task; a lane that was paused goes on in another."""
    tasks: list[object] = []

    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        async with asyncio.timeout(60):
            async for _ in batches:
                tasks.append(asyncio.current_task())  # noqa: PERF401 - each in the batch's turn

    adapter, lane = processor(agent), tables()
    for _ in range(2):
        await asyncio.create_task(adapter.process(records(b"x"), lane))
    assert len(set(tasks)) == 2


async def test_a_function_that_returns_early_is_called_again() -> None:
    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        async for batch in batches:
            batch.send("out", key=b"k", value=b"v")
            break

    adapter, lane = processor(agent), tables()
    assert [len(await adapter.process(records(b"x"), lane)) for _ in range(3)] == [1, 1, 1]


async def test_a_function_without_a_loop_stops_the_worker() -> None:
    """Its records would all be committed unread."""

    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        await asyncio.sleep(0)

    with pytest.raises(StopWorker, match="agent returned without asking for a batch"):
        await processor(agent).process(records(b"x"), tables())


async def test_a_batch_that_has_ended_takes_no_outputs() -> None:
    """They would be lost, so it says so; and a suspended loop keeps no records."""
    kept: list[Batch] = []

    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        async for batch in batches:
            kept.append(batch)  # noqa: PERF401 - a loop as agents have it

    await processor(agent).process(records(b"x"), tables())
    with pytest.raises(RuntimeError, match="has ended"):
        kept[0].send("out", key=b"k", value=b"v")
    assert len(kept[0]) == 0


async def test_typed_topics_encode_decode_and_dead_letter() -> None:
    views, out = Topic("in", View), Topic("out", View)

    @batch_agent(views)
    async def agent(batches: Batches) -> None:
        async for batch in batches:
            for record, view in batch.items(views):
                batch.send(out, key=record.key, value=view)
                batch.send(out, key=b"gone", value=None)

    values = (b'{"brand":"acme"}', b"{", b'{"brand":1}', b'{"x":' + b"[" * 100_000)
    outputs = await processor(agent).process(records(*values), tables())
    assert [(each.topic, each.value) for each in outputs if each.topic == "out"] == [
        ("out", b'{"brand":"acme"}'),
        ("out", None),
    ]
    assert [dict(each.headers)[REASON] for each in outputs if each.topic == "dead-letter"] == [
        b"malformed-json",
        b"invalid-field",
        b"malformed-json",
    ]


@pytest.mark.parametrize(
    ("key", "partition", "expected"),
    [(b"acme", None, partition_for(b"acme", 4)), (b"acme", 2, 2), (None, None, 0), (None, 1, 1)],
)
async def test_an_output_goes_to_the_partition_of_its_key(
    key: bytes | None, partition: int | None, expected: int
) -> None:
    @batch_agent("in")
    async def agent(batches: Batches) -> None:
        async for batch in batches:
            batch.send("out", key=key, value=b"v", partition=partition)

    (output,) = await processor(agent).process(records(b"x"), tables())
    assert output.partition == expected


def counting(fail: Callable[[bytes | None], None] = lambda value: None) -> BatchAgent:
    """The agent that the lanes' tests count with, in the shape of a loop."""
    from tests.support.lanes import COUNTS as ROWS

    @batch_agent("urgent", "in", tables=[ROWS], name="counting")
    async def agent(batches: Batches) -> None:
        async for batch in batches:
            table = batch.table(ROWS)
            for record in batch:
                fail(record.value)
                await asyncio.sleep(0)
                count = (table.get(record.key or b"") or 0) + 1
                table.put(record.key or b"", count)
                batch.send("out", key=record.key, value=b"%d" % count, partition=0)

    return agent


async def test_in_a_lane_poison_is_dead_lettered_and_the_rest_counts_once() -> None:
    """Through bisection and failing commits, the loop is called as often as need be."""

    def fail(value: bytes | None) -> None:
        if value == b"poison":
            raise InvalidEvent("poison", "cannot be processed")

    failures = iter([True, False, True])

    def fault(moment: str) -> None:
        if next(failures, False):
            raise RetryLater(f"the broker went away {moment} the commit")

    bench = Bench(fault=fault)
    written = [(b"k%d" % (number % 3), b"poison" if number % 5 == 0 else b"x") for number in range(40)]
    bench.write(written)
    worker = bench.worker(processor=processor(counting(fail)))
    worker.lane.start(must_fence=True)
    await worker.drain()
    await worker.lane.close(1.0)
    assert grouped(bench.counts()) == expected_counts(written)
    poison = [each for each in written if each[1] == b"poison"]
    assert [(each.key, each.value) for each in bench.broker.read("dead-letter")] == poison
    assert bench.broker.offsets["group", Partition("in", 0)] == len(written)
