"""All lanes of a worker: opened and closed as the group assigns partitions."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

import structlog

from streams.faust_transport.transport import Delivery
from streams.lanes.lane import Lane
from streams.lanes.processor import Processor
from streams.records import Partition

log = structlog.get_logger()


class Lanes:
    """The lanes of this worker. They follow the assignments of the consumer group.

    Args:
        processors: The processors of the agents that this worker runs.
        make_lane: Builds the lane of a processor for a partition.
        revoke_budget_s: Seconds that batches may take to commit when partitions are revoked.
        in_flight_bytes: Nothing is fetched while all lanes together buffer at least this many bytes.
        partitions: Partition numbers from this one on have no lanes. None for no limit.
        on_assigned: Called after each assignment.
    """

    def __init__(
        self,
        processors: Sequence[Processor],
        make_lane: Callable[[Processor, int], Lane],
        *,
        revoke_budget_s: float,
        in_flight_bytes: int,
        partitions: int | None = None,
        on_assigned: Callable[[], None] = lambda: None,
    ) -> None:
        self._processors = {topic: processor for processor in processors for topic in processor.topics}
        self._make_lane = make_lane
        self._revoke_budget_s = revoke_budget_s
        self._in_flight_bytes = in_flight_bytes
        self._partitions = partitions
        self._on_assigned = on_assigned
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._by_input: dict[Partition, Lane] = {}
        self._generation: int | None = None
        self._capacity = asyncio.Event()
        self.misplaced: set[Partition] = set()
        """Assigned partitions that have no lane, because another input of the lane is assigned elsewhere."""

    def __iter__(self) -> Iterator[Lane]:
        """Iterate over the lanes."""
        return iter(self._lanes.values())

    def find(self, agent: str, partition: int) -> Lane | None:
        """Return the lane of an agent for a partition, or None if another worker has it."""
        return self._lanes.get((agent, partition))

    @property
    def buffered_bytes(self) -> int:
        """Bytes of records that wait in all lanes."""
        return sum(lane.buffered_bytes for lane in self)

    def capacity_changed(self) -> None:
        """Wake `wait_for_capacity`: a lane may have room for more records."""
        self._capacity.set()

    # What the transport calls

    def ready_partitions(self, active: Iterable[Partition]) -> set[Partition]:
        """Return those of the active partitions whose lanes have capacity."""
        if self.buffered_bytes >= self._in_flight_bytes:
            return set()
        return {at for at in active if (lane := self._by_input.get(at)) is not None and lane.has_capacity(at)}

    async def wait_for_capacity(self, timeout_s: float) -> None:
        """Wait until the capacity of a lane changes, for `timeout_s` seconds at most."""
        self._capacity.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._capacity.wait()
        except TimeoutError:
            return

    def deliver(self, at: Partition, delivery: Delivery) -> None:
        """Offer fetched records to their lane. Without a lane they are dropped: the next owner reads them."""
        lane = self._by_input.get(at)
        if lane is not None:
            lane.offer(at, delivery.records, delivery.epoch)

    def reset_input(self, at: Partition, reason: str) -> None:
        """Let the lane of an input open again, because the input's log changed.

        Args:
            at: The input.
            reason: What was noticed, for logs.
        """
        lane = self._by_input.get(at)
        if lane is not None:
            lane.reset_input(reason)

    # What the group calls

    async def assign(self, partitions: Iterable[Partition], generation: int) -> None:
        """Own exactly these partitions: close the other lanes, open new ones, continue the rest.

        Until here all lanes go on while the group rebalances: a new owner fences the lane that it takes over.
        So a rebalance waits for no batch, and a lane that stays loses no work.

        Args:
            partitions: All partitions that are assigned to this worker.
            generation: The group's generation. If it does not directly follow the last one that this worker
                saw, another worker may have owned a lane in between.
        """
        owned = self._lanes_of(set(partitions))
        gone = [self._lanes.pop(name) for name in list(self._lanes) if name not in owned]
        must_fence = self._generation is None or generation != self._generation + 1
        self._generation = generation
        if must_fence:
            await asyncio.gather(*(lane.pause(self._revoke_budget_s) for lane in self))
        for name, processor in owned.items():
            lane = self._lanes.get(name)
            if lane is None:
                lane = self._lanes[name] = self._make_lane(processor, name[1])
                lane.start(must_fence=True)
            else:
                lane.start(must_fence=must_fence)
        self._by_input = {at: lane for lane in self for at in lane.inputs}
        log.info(
            "lanes assigned", lanes=[str(lane) for lane in self], generation=generation, must_fence=must_fence
        )
        self._on_assigned()
        self.capacity_changed()
        await asyncio.gather(*(lane.close(self._revoke_budget_s) for lane in gone))

    async def close(self) -> None:
        """Close all lanes."""
        lanes, self._lanes, self._by_input = list(self), {}, {}
        await asyncio.gather(*(lane.close(self._revoke_budget_s) for lane in lanes))

    def _lanes_of(self, partitions: set[Partition]) -> dict[tuple[str, int], Processor]:
        """Return name and processor of the lanes whose inputs are all assigned here; set `misplaced`."""
        owned: dict[tuple[str, int], Processor] = {}
        self.misplaced = set()
        for at in partitions:
            processor = self._processors.get(at.topic)
            if processor is None or (self._partitions is not None and at.partition >= self._partitions):
                continue
            if all(Partition(topic, at.partition) in partitions for topic in processor.topics):
                owned[processor.name, at.partition] = processor
            else:
                self.misplaced.add(at)
        if self.misplaced:
            log.error(
                "inputs of one lane are assigned to different workers; give all their topics the same number"
                " of partitions (shelfstream topics check) and let no foreign consumer join the group",
                partitions=sorted(map(str, self.misplaced)),
            )
        return owned
