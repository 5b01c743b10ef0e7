"""The lanes of a worker follow the assignments: which open, continue and close, and what is fetched."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from structlog.testing import capture_logs

from streams.faust_transport.transport import Delivery
from streams.lanes.assignment import Lanes
from streams.lanes.lane import Lane
from streams.lanes.processor import Processor
from streams.records import Output, Partition, Record
from streams.state.tables import Tables
from tests.support.lanes import INPUT, URGENT, Bench


class Agent:
    """An agent with a name and inputs. Lanes use nothing else of it."""

    def __init__(self, name: str, *topics: str) -> None:
        self.name, self.topics = name, topics

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """See `Processor`."""
        raise AssertionError("these lanes are not real")


class FakeLane:
    """Records the calls that it receives."""

    def __init__(self, agent: Processor, partition: int) -> None:
        self.name = f"{agent.name}-{partition}"
        self.inputs = [Partition(topic, partition) for topic in agent.topics]
        self.calls: list[object] = []
        self.epoch = 7
        self.buffered_bytes = 0
        self.capacity = True
        self.offered: list[tuple[Partition, Sequence[Record], int]] = []

    def __str__(self) -> str:
        return self.name

    def start(self, *, must_fence: bool) -> None:
        self.calls.append("fence" if must_fence else "continue")

    async def pause(self, budget_s: float) -> None:
        await asyncio.sleep(0)
        self.calls.append(("pause", budget_s))

    async def close(self, budget_s: float) -> None:
        await asyncio.sleep(0)
        self.calls.append(("close", budget_s))

    def has_capacity(self, at: Partition) -> bool:
        return self.capacity

    def offer(self, at: Partition, records: Sequence[Record], epoch: int) -> None:
        self.offered.append((at, records, epoch))


class Worker:
    """Lanes of two agents: `one` reads topic a, `two` reads topics b and c."""

    def __init__(self, in_flight_bytes: int = 100) -> None:
        self.made: list[FakeLane] = []
        self.assignments = 0
        self.lanes = Lanes(
            [Agent("one", "a"), Agent("two", "b", "c")],
            self._make,
            revoke_budget_s=3.0,
            in_flight_bytes=in_flight_bytes,
            on_assigned=self._assigned,
        )

    def _make(self, processor: Processor, partition: int) -> Lane:
        lane = FakeLane(processor, partition)
        self.made.append(lane)
        return cast(Lane, lane)

    def _assigned(self) -> None:
        self.assignments += 1

    async def assign(self, partitions: str, generation: int) -> None:
        """Assign partitions such as `a0 b1`."""
        await self.lanes.assign([partition(each) for each in partitions.split()], generation)

    def lane(self, name: str) -> FakeLane:
        """The newest lane of that name."""
        return next(lane for lane in reversed(self.made) if lane.name == name)

    @property
    def names(self) -> list[str]:
        """The names of the current lanes."""
        return sorted(map(str, self.lanes))


def partition(name: str) -> Partition:
    return Partition(name[0], int(name[1:]))


async def test_each_agent_gets_a_lane_for_each_partition_with_all_inputs_assigned() -> None:
    worker = Worker()
    await worker.assign("a0 a1 b0 c0 x9", 1)
    assert worker.names == ["one-0", "one-1", "two-0"]
    assert [lane.calls for lane in worker.made] == [["fence"]] * 3
    assert worker.assignments == 1


async def test_an_input_whose_other_inputs_are_assigned_elsewhere_is_reported() -> None:
    """Two workers would each own half of a lane. It opens nowhere, and an error is logged."""
    worker = Worker()
    with capture_logs() as logs:
        await worker.assign("b0 b1 c1", 1)
    assert worker.names == ["two-1"]
    assert worker.lanes.misplaced == {Partition("b", 0)}
    assert [entry["partitions"] for entry in logs if entry["log_level"] == "error"] == [["b-0"]]
    await worker.assign("b0 c0 b1 c1", 2)
    assert worker.lanes.misplaced == set()
    assert worker.names == ["two-0", "two-1"]


async def test_lanes_that_stay_in_consecutive_generations_continue() -> None:
    """No other worker can have owned them. A new lane must fence."""
    worker = Worker()
    await worker.assign("a0", 4)
    await worker.assign("a0 a1", 5)
    assert worker.lane("one-0").calls == ["fence", "continue"]
    assert worker.lane("one-1").calls == ["fence"]


@pytest.mark.parametrize("generation", [4, 6, 7, 3, 0])
async def test_lanes_that_missed_a_generation_must_fence_again(generation: int) -> None:
    """In a generation that this worker did not see, another worker may have owned the lane and committed."""
    worker = Worker()
    await worker.assign("a0", 4)
    await worker.assign("a0", generation)
    assert worker.lane("one-0").calls[-1] == "fence"
    assert len(worker.made) == 1


async def test_revoked_lanes_are_closed_and_later_created_again() -> None:
    worker = Worker()
    await worker.assign("a0 a1", 1)
    await worker.assign("a1", 2)
    assert worker.lane("one-0").calls == ["fence", ("close", 3.0)]
    assert worker.names == ["one-1"]
    await worker.assign("a0 a1", 3)
    assert sorted(lane.name for lane in worker.made) == ["one-0", "one-0", "one-1"]
    assert worker.lane("one-0").calls == ["fence"]


async def test_a_lane_that_lost_one_of_its_inputs_is_closed() -> None:
    worker = Worker()
    await worker.assign("b0 c0", 1)
    await worker.assign("b0", 2)
    assert worker.lane("two-0").calls == ["fence", ("close", 3.0)]
    assert worker.names == []


async def test_lanes_that_must_fence_again_are_paused_first_all_at_once() -> None:
    """They share one budget."""
    worker = Worker()
    await worker.assign("a0 a1 b0 c0", 1)
    await worker.assign("a0 a1 b0 c0", 3)
    assert [lane.calls for lane in worker.made] == [["fence", ("pause", 3.0), "fence"]] * 3


async def test_a_closed_worker_has_no_lanes_and_takes_nothing() -> None:
    worker = Worker()
    await worker.assign("a0", 1)
    await worker.lanes.close()
    worker.lanes.deliver(Partition("a", 0), Delivery([], 7))
    assert worker.names == []
    assert worker.lane("one-0").calls == ["fence", ("close", 3.0)]
    assert worker.lane("one-0").offered == []
    assert worker.lanes.ready_partitions([Partition("a", 0)]) == set()


async def test_only_lanes_with_capacity_are_ready() -> None:
    worker = Worker()
    await worker.assign("a0 a1", 1)
    worker.lane("one-1").capacity = False
    active = [partition(each) for each in ("a0", "a1", "x0", "b0")]
    assert worker.lanes.ready_partitions(active) == {Partition("a", 0)}


async def test_nothing_more_is_fetched_beyond_the_budget() -> None:
    """The bytes of all lanes count, and fetching continues as soon as there is room."""
    worker = Worker(in_flight_bytes=100)
    await worker.assign("a0 a1", 1)
    worker.lane("one-0").buffered_bytes, worker.lane("one-1").buffered_bytes = 60, 39
    assert worker.lanes.buffered_bytes == 99
    assert len(worker.lanes.ready_partitions([Partition("a", 0), Partition("a", 1)])) == 2
    worker.lane("one-1").buffered_bytes = 40
    assert worker.lanes.ready_partitions([Partition("a", 0), Partition("a", 1)]) == set()


async def test_a_delivery_goes_to_its_lane_with_its_epoch() -> None:
    """A delivery without a lane is dropped: the next owner reads it from the committed offset."""
    worker = Worker()
    await worker.assign("b0 c0", 1)
    worker.lanes.deliver(Partition("c", 0), Delivery([], 5))
    worker.lanes.deliver(Partition("c", 1), Delivery([], 5))
    worker.lanes.deliver(Partition("unknown", 0), Delivery([], 5))
    assert worker.lane("two-0").offered == [(Partition("c", 0), [], 5)]


async def test_waiting_for_capacity_ends_with_a_change_or_the_timeout() -> None:
    worker = Worker()
    waiting = asyncio.create_task(worker.lanes.wait_for_capacity(600.0))
    await asyncio.sleep(0)
    worker.lanes.capacity_changed()
    await asyncio.wait_for(waiting, 60.0)
    await asyncio.wait_for(worker.lanes.wait_for_capacity(0.001), 60.0)


async def test_real_lanes_lose_and_repeat_nothing_in_a_rebalance() -> None:
    """Partitions are revoked and assigned again while batches are processed."""
    bench = Bench()
    bench.write([(b"k", b"x")] * 40)
    bench.write([(b"u", b"x")] * 5, URGENT)
    worker = bench.worker()
    lanes = Lanes(
        [worker.processor], lambda processor, number: worker.lane, revoke_budget_s=1.0, in_flight_bytes=10_000
    )
    for generation in range(1, 5):
        await lanes.assign([INPUT, URGENT], generation)
        for _ in range(30):
            for at in lanes.ready_partitions([INPUT, URGENT]):
                records, epoch = worker.runtime.consumer.fetch(at, 2)
                if records:
                    lanes.deliver(at, Delivery(list(records), epoch))
            await asyncio.sleep(0)
    await lanes.assign([INPUT, URGENT], 5)
    await worker.drain()
    await lanes.close()
    counts = bench.counts()
    assert [count for key, count in counts if key == b"k"] == [b"%d" % number for number in range(1, 41)]
    assert [count for key, count in counts if key == b"u"] == [b"%d" % number for number in range(1, 6)]
    assert bench.broker.epochs["lane"] == 1
