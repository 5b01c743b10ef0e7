"""The Faust transport of the lanes: one Faust event holds the records of one fetch of one partition.

Faust keeps the agents, the group membership, assignment and rebalancing. Its path for single messages, with a
task, a queue and an acknowledgement for each, is not used. Neither are its commits: the transactions of the
lanes commit the offsets.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, cast

import aiokafka
import structlog
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import TopicPartition
from faust import Topic
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.cancellation import is_being_cancelled
from streams.faust_transport.client_tasks import ended_task, start_when_reachable
from streams.faust_transport.lane_group import LaneGroup
from streams.faust_transport.sticky_assignor import StickyLaneAssignor
from streams.records import Partition, Record

log = structlog.get_logger()

_FETCH_RETRY_S = 0.5
_KEEP_MEMBERSHIP_EVERY_S = 5.0


class Delivery(NamedTuple):
    """The value of a Faust event.

    Attributes:
        records: Records of one partition, in offset order.
        epoch: The epoch of the last seek before they were fetched.
    """

    records: list[Record]
    epoch: int


class LaneTopic(Topic):
    """A topic whose events carry deliveries. Agents decode the bytes, so that nothing is decoded here."""

    def _compile_decode(self) -> None:
        # `Topic` would replace the method below by a compiled decoder.
        return

    async def decode(self, message: Any, *, propagate: bool = False) -> Any:
        """Wrap the delivery in an event."""
        return self._create_event(None, message.value, headers=None, message=message)


class LaneConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread. It reads committed records, and fetches whole batches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._epochs: dict[Partition, int] = {}

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        # The members that know only the range assignor are workers of an earlier version. The group uses the
        # first assignor that all members know. Both give partition n of all inputs of a lane to one member.
        sticky = StickyLaneAssignor(self._generation, self.app.partitions, self.app.stored_partitions())
        return aiokafka.AIOKafkaConsumer(
            **self.app.kafka_client,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            partition_assignment_strategy=[sticky, RangePartitionAssignor],
            enable_auto_commit=False,
            # A lane decides where to read: an offset that is gone must not be skipped in silence.
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=100,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 300) * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
        )

    async def on_start(self) -> None:
        """Connect to Kafka, and wait for it if it is away."""
        self.time_started = time.monotonic()
        await start_when_reachable(self._new_consumer, lambda: bool(self.should_stop or self.app.should_stop))

    def _new_consumer(self) -> aiokafka.AIOKafkaConsumer:
        """Create a consumer that is not started. Faust asks it for its assignment meanwhile."""
        self._consumer = self._create_consumer(loop=self.thread_loop)
        return self._consumer

    def _generation(self) -> int:
        return int(self._ensure_consumer()._coordinator.generation)

    async def seek_all(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        """Deliver records from these offsets on, with this epoch."""
        await self.call_thread(self._seek_all, offsets, epoch)

    async def _seek_all(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        consumer = self._ensure_consumer()
        for at, offset in offsets.items():
            consumer.seek(TopicPartition(*at), offset)
            self._epochs[at] = epoch

    async def fetch(self, partitions: Iterable[Partition], timeout_s: float) -> dict[Partition, Delivery]:
        """Fetch from partitions.

        Args:
            partitions: The partitions.
            timeout_s: Seconds to wait for records.

        Returns:
            A delivery for each partition with records; empty after the timeout.
        """
        tps = {TopicPartition(*at) for at in partitions}
        return cast("dict[Partition, Delivery]", await self.call_thread(self._fetch, tps, timeout_s))

    async def _fetch(self, tps: set[TopicPartition], timeout_s: float) -> dict[Partition, Delivery]:
        batches = await self._fetch_records(self._ensure_consumer(), tps, timeout=timeout_s)
        # Seeks run on this thread too. None can have run since the fetch, so that the epoch belongs to the
        # position from which the records were read.
        return {
            at: Delivery(records, self._epochs.get(at, 0))
            for tp, records in batches.items()
            if records and (at := Partition(tp.topic, tp.partition))
        }

    def is_member(self) -> bool:
        """Return whether the group's coordinator is known, and this consumer has a member id."""
        if self._consumer is None or self._consumer._coordinator is None:
            return False
        coordinator = self._consumer._coordinator
        return coordinator.coordinator_id is not None and bool(coordinator.member_id)

    def failure(self) -> str | None:
        """Return which background task of the client has ended, and why; None while all run."""
        return None if self._consumer is None else ended_task(self._consumer)

    def member_id(self) -> str:
        """Return the id of this consumer in its group; empty while it is no member."""
        return "" if self._consumer is None else self._consumer._coordinator.member_id or ""

    async def keep_membership(self) -> None:
        """Count as a poll without fetching.

        A consumer that does not poll within max_poll_interval leaves the group. Lanes may be without capacity
        for longer than that: during a large restoration, or when dead letters are throttled.
        """
        await self.call_thread(self._poll_nothing)

    async def _poll_nothing(self) -> None:
        with self._ensure_consumer()._subscription.fetch_context():
            await asyncio.sleep(0)

    def lag(self, at: Partition, next_offset: int, idle: bool) -> int | None:
        """Return the number of offsets between a lane's position and the last stable offset.

        Args:
            at: The input.
            next_offset: The next offset that the lane will process.
            idle: Whether the lane has nothing to process.

        Returns:
            The lag; None before the first fetch. It is 0 when everything was fetched and the lane is idle:
            the offsets in between are transaction markers and aborted records, which are never delivered.
        """
        state = self._ensure_consumer()._subscription.subscription.assignment.state_value(TopicPartition(*at))
        if state is None or state.lso is None:
            return None
        if idle and state.has_valid_position and state.position >= state.lso:
            return 0
        return max(0, cast(int, state.lso) - next_offset)


class LaneConsumer(driver.Consumer):
    """Faust's consumer. It delivers whole batches of a partition to lanes with capacity."""

    _membership_kept_at = 0.0

    _thread: LaneConsumerThread

    def _new_consumer_thread(self) -> LaneConsumerThread:
        return LaneConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> LaneConsumerThread:
        """The thread that talks to the group and fetches."""
        return self._thread

    @property
    def lanes(self) -> LaneGroup:
        """The lanes of the application."""
        return cast(LaneGroup, self.app.lanes)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start the lanes in the background, so that a long restoration does not delay the rebalance."""
        await super().on_partitions_assigned(assigned, generation_id)
        await self.lanes.assign({Partition(tp.topic, tp.partition) for tp in assigned}, generation_id)

    async def perform_seek(self) -> None:
        """Do nothing: each lane seeks for itself, after it has fenced older owners."""

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            try:
                await self._drain_once()
            except self.consumer_stopped_errors:
                return
            except asyncio.CancelledError:
                if self.app.should_stop:
                    return
                if is_being_cancelled():
                    raise
                log.warning("the client cancelled a fetch, repeating it")
                await asyncio.sleep(_FETCH_RETRY_S)
            except OffsetOutOfRangeError as error:
                self._reset_inputs(error.args[0])
                await asyncio.sleep(_FETCH_RETRY_S)
            except KafkaError as error:
                if not _is_transient(error):
                    raise
                log.warning("fetch failed, repeating it", error=repr(error))
                await asyncio.sleep(_FETCH_RETRY_S)

    def _reset_inputs(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Let the lanes decide where to read whose next offset is not in the log."""
        for tp, offset in offsets.items():
            at = Partition(tp.topic, tp.partition)
            log.error("the offset to read is not in the log", partition=str(at), offset=offset)
            self.lanes.reset_input(at, f"offset {offset} is not in the log of {at}")

    async def _drain_once(self) -> None:
        ready = self.lanes.ready_partitions(Partition(*tp) for tp in self._get_active_partitions())
        if not self.flow_active or not ready:
            await self.lanes.wait_for_capacity(0.1)
            await self._keep_membership()
            return
        deliveries = await self.thread.fetch(ready, 0.1)
        for at, delivery in deliveries.items():
            await self.callback(self._message_of(at, delivery))
        if not deliveries:
            await asyncio.sleep(0)

    async def _keep_membership(self) -> None:
        now = time.monotonic()
        if now - self._membership_kept_at > _KEEP_MEMBERSHIP_EVERY_S:
            self._membership_kept_at = now
            await self.thread.keep_membership()

    def _message_of(self, at: Partition, delivery: Delivery) -> ConsumerMessage:
        last: Any = delivery.records[-1]
        return ConsumerMessage(
            at.topic,
            at.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            None,
            None,
            delivery,
            None,
            tp=TP(at.topic, at.partition),
            generation_id=self.app.consumer_generation_id,
        )


def _is_transient(error: KafkaError) -> bool:
    """Return whether fetching may succeed later: after any error except missing permissions."""
    return not isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError)


class LaneTransport(driver.Transport):
    """The transport of `lane://` URLs; the address is that of the Kafka cluster."""

    Consumer: ClassVar[type] = LaneConsumer
