"""The Faust transport of the lanes: what one fetch brought for one partition is one Faust event.

Faust keeps the agents, the group membership, assignment and rebalancing. Its per-message way (a task, a queue
put and an ack for each record) and its commits are not used: the lanes' transactions commit the offsets.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import aiokafka
import structlog
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError
from aiokafka.structs import TopicPartition
from faust import Topic
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.cancellation import is_being_cancelled
from streams.records import Partition, Record

log = structlog.get_logger()

_FETCH_PAUSE_S = 0.5
_STAY_EVERY_S = 5.0


class Delivery(NamedTuple):
    """The value of a lane's Faust event: records of one partition, and the epoch of the seek before them."""

    records: list[Record]
    epoch: int


class LaneGroup(Protocol):
    """The lanes as the transport sees them."""

    def ready_partitions(self, active: Iterable[Partition]) -> set[Partition]:
        """Those of the active partitions whose lanes take more records."""
        ...

    async def wait_for_capacity(self, timeout_s: float) -> None:
        """Wait until some lane may take more, or the timeout has passed."""
        ...

    async def revoke(self) -> None:
        """The group takes all partitions back (eager rebalancing)."""
        ...

    async def assign(self, partitions: Iterable[Partition], generation: int) -> None:
        """The group gave us exactly these partitions in this generation."""
        ...


class LaneTopic(Topic):
    """A topic whose events carry deliveries: there is nothing to decode, agents decode from bytes."""

    def _compile_decode(self) -> None:
        # Topic would compile a decoder over the method below.
        return

    async def decode(self, message: Any, *, propagate: bool = False) -> Any:
        """Wrap the delivery in an event."""
        return self._create_event(None, message.value, headers=None, message=message)


class LaneConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, reading committed records, with partition n of every topic in one worker."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._epochs: dict[Partition, int] = {}

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            **self.app.kafka_client,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            # Range puts partition n of all topics of equal size on one member, as lanes with several inputs
            # and shared state need it.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=100,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 300) * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
        )

    async def seek_all(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        """Deliver from these offsets on, in deliveries that bear `epoch`."""
        await self.call_thread(self._seek_all, offsets, epoch)

    async def _seek_all(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        consumer = self._ensure_consumer()
        for at, offset in offsets.items():
            consumer.seek(TopicPartition(*at), offset)
            self._epochs[at] = epoch

    async def fetch(self, partitions: Iterable[Partition], timeout_s: float) -> dict[Partition, Delivery]:
        """What one fetch brought for each partition, or nothing after the timeout."""
        wanted = {TopicPartition(*at) for at in partitions}
        return cast("dict[Partition, Delivery]", await self.call_thread(self._fetch, wanted, timeout_s))

    async def _fetch(self, wanted: set[TopicPartition], timeout_s: float) -> dict[Partition, Delivery]:
        batches = await self._fetch_records(self._ensure_consumer(), wanted, timeout=timeout_s)
        # Seeks run on this thread too: between the fetch and this line none can have come, so that the epoch
        # is that of the very position the records were read from.
        return {
            at: Delivery(records, self._epochs.get(at, 0))
            for tp, records in batches.items()
            if records and (at := Partition(tp.topic, tp.partition))
        }

    def is_member(self) -> bool:
        """Whether the group's coordinator is known and knows us."""
        if self._consumer is None:
            return False
        coordinator = self._consumer._coordinator
        return coordinator.coordinator_id is not None and bool(coordinator.member_id)

    async def keep_membership(self) -> None:
        """Say that we live although we fetch nothing.

        A consumer that does not poll for max_poll_interval leaves the group, but lanes may well have enough
        to do for longer: a large restoration, or dead letters beyond their budget.
        """
        await self.call_thread(self._poll_nothing)

    async def _poll_nothing(self) -> None:
        with self._ensure_consumer()._subscription.fetch_context():
            await asyncio.sleep(0)

    def lag(self, at: Partition, next_offset: int, idle: bool) -> int | None:
        """How many offsets lie between `next_offset` and the last stable offset; None before the first fetch.

        When everything was fetched and the lane is idle, what is left are transaction markers and aborted
        records, which nobody will ever consume: 0.
        """
        state = self._ensure_consumer()._subscription.subscription.assignment.state_value(TopicPartition(*at))
        if state is None or state.lso is None:
            return None
        if idle and state.has_valid_position and state.position >= state.lso:
            return 0
        return max(0, cast(int, state.lso) - next_offset)


class LaneConsumer(driver.Consumer):
    """Faust's consumer, delivering whole partition batches to the lanes that want them."""

    _stayed_at = 0.0

    _thread: LaneConsumerThread

    def _new_consumer_thread(self) -> LaneConsumerThread:
        return LaneConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> LaneConsumerThread:
        """The thread that talks to the group and fetches."""
        return self._thread

    @property
    def lanes(self) -> LaneGroup:
        """The application's lanes."""
        return cast(LaneGroup, self.app.lanes)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the lanes finish or undo their work before the group may give it to others."""
        await self.lanes.revoke()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Open the lanes in the background: a long restoration never holds up a rebalance."""
        await super().on_partitions_assigned(assigned, generation_id)
        await self.lanes.assign({Partition(tp.topic, tp.partition) for tp in assigned}, generation_id)

    async def perform_seek(self) -> None:
        """Nothing: each lane seeks for itself, after it has fenced its older owner."""

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
                log.warning("fetching was given up by its client, will go on")
                await asyncio.sleep(_FETCH_PAUSE_S)
            except KafkaError as error:
                if not _passing(error):
                    raise
                log.warning("fetching failed, will go on", error=repr(error))
                await asyncio.sleep(_FETCH_PAUSE_S)

    async def _drain_once(self) -> None:
        wanting = self.lanes.ready_partitions(Partition(*tp) for tp in self._get_active_partitions())
        if not self.flow_active or not wanting:
            await self.lanes.wait_for_capacity(0.1)
            await self._stay_a_member()
            return
        deliveries = await self.thread.fetch(wanting, 0.1)
        for at, delivery in deliveries.items():
            await self.callback(self._message_of(at, delivery))
        if not deliveries:
            await asyncio.sleep(0)

    async def _stay_a_member(self) -> None:
        now = time.monotonic()
        if now - self._stayed_at > _STAY_EVERY_S:
            self._stayed_at = now
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


def _passing(error: KafkaError) -> bool:
    """Whether fetching may succeed later: everything but a refusal of our rights."""
    return not isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError)


class LaneTransport(driver.Transport):
    """Registered as `lane://`; the address is that of the Kafka cluster."""

    Consumer: ClassVar[type] = LaneConsumer
