"""All lanes of a worker: which partitions they own, what they may fetch, and how they come and go."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

import structlog

from streams.faust_transport.transport import Delivery
from streams.lanes.lane import Lane
from streams.lanes.processor import Processor
from streams.records import Partition

log = structlog.get_logger()


class Lanes:
    """The lanes of this worker, kept in step with what the consumer group assigns.

    Args:
        processors: the agents that this worker runs.
        make_lane: builds the lane of an agent for a partition.
        revoke_budget_s: how long work in flight may take when partitions are taken back.
        on_assigned: called after each assignment.
        in_flight_bytes: beyond so many queued bytes in all lanes together, nothing more is fetched.
    """

    def __init__(
        self,
        processors: Sequence[Processor],
        make_lane: Callable[[Processor, int], Lane],
        *,
        revoke_budget_s: float,
        in_flight_bytes: int,
        on_assigned: Callable[[], None] = lambda: None,
    ) -> None:
        self._processors = {topic: processor for processor in processors for topic in processor.topics}
        self._make_lane = make_lane
        self._revoke_budget_s = revoke_budget_s
        self._in_flight_bytes = in_flight_bytes
        self._on_assigned = on_assigned
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._by_input: dict[Partition, Lane] = {}
        self._generation: int | None = None
        self._hungry = asyncio.Event()
        self.misplaced: set[Partition] = set()

    def __iter__(self) -> Iterator[Lane]:
        """The lanes of this worker."""
        return iter(self._lanes.values())

    @property
    def queued_bytes(self) -> int:
        """Bytes of records that wait in all lanes."""
        return sum(lane.queued_bytes for lane in self)

    def changed(self) -> None:
        """A lane's appetite changed."""
        self._hungry.set()

    # What the transport asks

    def wanting(self, active: Iterable[Partition]) -> set[Partition]:
        """Those of the active partitions whose lanes take more records."""
        if self.queued_bytes >= self._in_flight_bytes:
            return set()
        return {at for at in active if (lane := self._by_input.get(at)) is not None and lane.wants(at)}

    async def appetite(self, timeout_s: float) -> None:
        """Wait until some lane may take more, or the timeout has passed."""
        self._hungry.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._hungry.wait()
        except TimeoutError:
            return

    def deliver(self, at: Partition, delivery: Delivery) -> None:
        """Hand records to their lane; those of a lane that is gone will be read by its next owner."""
        lane = self._by_input.get(at)
        if lane is not None:
            lane.offer(at, delivery.records, delivery.epoch)

    # What the group says

    async def revoke(self) -> None:
        """Let all lanes finish or undo what they do, within the budget."""
        await asyncio.gather(*(lane.pause(self._revoke_budget_s) for lane in self))

    async def assign(self, partitions: Iterable[Partition], generation: int) -> None:
        """Own exactly these partitions from now on: close lanes that left, open those that came."""
        owned = self._lanes_of(set(partitions))
        gone = [self._lanes.pop(name) for name in list(self._lanes) if name not in owned]
        await asyncio.gather(*(lane.close(self._revoke_budget_s) for lane in gone))
        # Only between two generations in a row can nobody else have owned a lane that stayed here.
        fresh = self._generation is None or generation != self._generation + 1
        self._generation = generation
        for name, processor in owned.items():
            lane = self._lanes.get(name)
            if lane is None:
                lane = self._lanes[name] = self._make_lane(processor, name[1])
                lane.start(fresh=True)
            else:
                lane.start(fresh=fresh)
        self._by_input = {at: lane for lane in self for at in lane.inputs}
        log.info("lanes assigned", lanes=[str(lane) for lane in self], generation=generation, fresh=fresh)
        self._on_assigned()
        self.changed()

    async def close(self) -> None:
        """Stop all lanes for good."""
        lanes, self._lanes, self._by_input = list(self), {}, {}
        await asyncio.gather(*(lane.close(self._revoke_budget_s) for lane in lanes))

    def _lanes_of(self, partitions: set[Partition]) -> dict[tuple[str, int], Processor]:
        """The lanes all of whose inputs are assigned here; `misplaced` holds inputs without the others."""
        owned: dict[tuple[str, int], Processor] = {}
        self.misplaced = set()
        for at in partitions:
            processor = self._processors.get(at.topic)
            if processor is None:
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
