"""The Faust application of the lanes: it owns the group membership, and hands fetched batches to lanes."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import faust
import structlog
from faust.app.base import BootStrategy
from yarl import URL

from schemas.errors import RetryLater
from streams.clients import consumer_options
from streams.faust_transport.aiokafka_patches.group_join import patch_group_join
from streams.faust_transport.aiokafka_patches.gzip_level import patch_gzip_level
from streams.faust_transport.aiokafka_patches.header_decoding import patch_header_decoding
from streams.faust_transport.aiokafka_patches.password import patch_password
from streams.faust_transport.aiokafka_patches.record_class import patch_record_class
from streams.faust_transport.aiokafka_patches.transaction_backoff import patch_transaction_backoff
from streams.faust_transport.transport import Delivery, LaneConsumer, LaneConsumerThread, LaneTopic
from streams.faust_transport.versions import check_versions
from streams.lane_runtime import KafkaLaneRuntime, LaneContext
from streams.lanes.assignment import Lanes
from streams.lanes.lane import Lane
from streams.lanes.observer import LaneState, LaneView
from streams.lanes.processor import Processor
from streams.records import Partition
from streams.settings import Settings
from streams.state.stores import store_paths

log = structlog.get_logger()

_SHUTDOWN_TIMEOUT_S = 10.0
_TOPIC_WATCH_INTERVAL_S = 10.0
_UNREAD_WATCH_INTERVAL_S = 10.0


def exit_without_leaving(app: "LaneApp") -> None:
    """End the process when the broker does not answer during shutdown. A timer thread calls this."""
    log.warning("broker unreachable: exiting without leaving the group")
    os._exit(0 if app.crash_reason is None else 1)


class _WithoutProducer(BootStrategy):
    """Starts no producer of Faust's: the lanes have their own, and Faust's does not log in."""

    enable_kafka_producer = False


class LaneApp(faust.App):
    """A Faust application whose agents pass whole batches of a partition to lanes.

    Args:
        context: What the lanes are composed of.
        on_shutdown_timeout: Called in a thread when leaving the group takes too long.
    """

    BootStrategy = _WithoutProducer

    def __init__(
        self,
        context: LaneContext,
        on_shutdown_timeout: Callable[["LaneApp"], None] = exit_without_leaving,
    ) -> None:
        settings = context.settings
        super().__init__(settings.app_id, **_faust_options(settings, context.state_dir))
        self._on_shutdown_timeout = on_shutdown_timeout
        self.kafka_client = _group_consumer_options(settings)
        self.partitions = settings.partitions
        self._observer = context.observer
        self._added: dict[str, int] = {}
        self._stores = context.state_dir / settings.app_id
        self._runtime = KafkaLaneRuntime(context, self)
        self.lanes = Lanes(
            context.processors,
            self._runtime.lane,
            revoke_budget_s=settings.revoke_budget_s,
            in_flight_bytes=settings.in_flight_max_bytes,
            partitions=settings.partitions,
            on_assigned=context.observer.assigned,
        )
        for processor in context.processors:
            self._add_agent(processor)
        self._unread: dict[Partition, int] = {}
        self.task(self._watch_topics)
        self.task(self._watch_unread)

    async def on_stop(self) -> None:
        """Let the lanes commit or undo their batches before the consumer leaves the group."""
        await self.lanes.close()
        # An unreachable broker would delay leaving the group without limit.
        timeout = threading.Timer(_SHUTDOWN_TIMEOUT_S, self._on_shutdown_timeout, [self])
        timeout.daemon = True
        timeout.start()
        await super().on_stop()

    # What the worker reads

    @property
    def buffered_bytes(self) -> int:
        """Bytes of records that wait in all lanes."""
        return self.lanes.buffered_bytes

    def is_member(self) -> bool:
        """Return whether the worker is a member of its consumer group."""
        return bool(self.started) and self.consumer_thread.is_member()

    def consumer_failure(self) -> str | None:
        """Return why the consumer works no more and does not know it; None while it works."""
        return self.consumer_thread.failure() if self.started else None

    def member_id(self) -> str:
        """Return the worker's id in its consumer group; empty while it is no member."""
        return self.consumer_thread.member_id() if self.started else ""

    def lags(self) -> list[tuple[LaneView, dict[Partition, int | None]]]:
        """Return each lane with the lag of its inputs in offsets; None where it is unknown."""
        if not self.started:
            return []
        return [(lane, {at: self._lag(lane, at) for at in lane.inputs}) for lane in self.lanes]

    def stored_partitions(self) -> set[int]:
        """Return the partition numbers whose state is on this worker's disk."""
        return set(store_paths(self._stores).values())

    # What the runtime of the lanes calls

    @property
    def consumer_thread(self) -> LaneConsumerThread:
        """The thread that talks to the group and fetches."""
        return cast(LaneConsumer, self.consumer).thread

    def capacity_changed(self) -> None:
        """Wake the consumer: a lane may have room for more records."""
        self.lanes.capacity_changed()

    def stop_because(self, error: BaseException) -> None:
        """Crash the application with an error."""
        self.loop.create_task(self.crash(error))

    async def _watch_topics(self) -> None:
        """Let lanes open again whose topic was deleted and created again, and tell of added partitions.

        The new topic may have records at the offsets that a lane reads next, so that no fetch fails.
        """
        while not self.should_stop:
            await self.sleep(_TOPIC_WATCH_INTERVAL_S)
            try:
                recreated = await self._runtime.recreated_inputs()
            except RetryLater as error:
                log.debug("topic ids are not known", error=str(error))
                continue
            for lane in list(self.lanes):
                for at in lane.inputs:
                    if at in recreated:
                        lane.reset_input(recreated[at])
            self._tell_added_partitions()

    def _tell_added_partitions(self) -> None:
        """Tell the observer, when that changes, which inputs have more partitions than there are lanes."""
        counts = self._runtime.offsets.partition_counts
        inputs = sorted({topic for lane in self.lanes for topic in lane.topics})
        added = {topic: counts[topic] for topic in inputs if counts.get(topic, 0) > self.partitions}
        if added != self._added:
            self._added = added
            self._observer.partitions_added(added, self.partitions)

    async def _watch_unread(self) -> None:
        """Find out the lag of lanes that do not run: the consumer knows only that of lanes that fetch."""
        while not self.should_stop:
            await self.sleep(_UNREAD_WATCH_INTERVAL_S)
            waiting = [at for lane in self.lanes if lane.state is not LaneState.RUNNING for at in lane.inputs]
            try:
                self._unread = {at: await self._runtime.offsets.unread(at) for at in waiting}
            except RetryLater as error:
                log.debug("the lag of lanes that do not run is not known", error=str(error))

    def _lag(self, lane: Lane, at: Partition) -> int | None:
        if lane.state is not LaneState.RUNNING:
            return self._unread.get(at)
        try:
            return self.consumer_thread.lag(at, lane.next_offsets[at], lane.idle)
        except Exception:
            # Between two assignments the consumer and the lane have no offsets.
            return None

    def _add_agent(self, processor: Processor) -> None:
        """Add the Faust agent that offers each delivery to its lane."""

        async def deliver(stream: Any) -> None:
            async for event in stream.events():
                delivery: Delivery = event.value
                tp = event.message.tp
                self.lanes.deliver(Partition(tp.topic, tp.partition), delivery)

        # The lanes commit offsets; Faust must not.
        self.agent(self.topic(*processor.topics, acks=False), name=processor.name)(deliver)


def build_app(
    context: LaneContext,
    on_shutdown_timeout: Callable[[LaneApp], None] = exit_without_leaving,
) -> LaneApp:
    """Build the application, after patching aiokafka in this process.

    Args:
        context: What the lanes are composed of.
        on_shutdown_timeout: Called in a thread when leaving the group takes too long.

    Raises:
        StopWorker: The installed version of Faust or aiokafka was not tested.
    """
    check_versions()
    patch_group_join()
    patch_header_decoding()
    patch_gzip_level()
    patch_record_class()
    patch_transaction_backoff()
    patch_password()
    return LaneApp(context, on_shutdown_timeout)


def _group_consumer_options(settings: Settings) -> Mapping[str, Any]:
    """Return the connection options of the consumer. Faust sets the client id itself."""
    options = consumer_options(settings)
    options.pop("client_id")
    return options


def _faust_options(settings: Settings, state_dir: Path) -> dict[str, Any]:
    """Return Faust's options: timeouts of the group, and nothing that the lanes do themselves."""
    return {
        "broker": [URL(f"lane://{address.strip()}") for address in settings.bootstrap_servers.split(",")],
        "Topic": LaneTopic,
        "datadir": str(state_dir),
        "web_enabled": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": settings.heartbeat_interval_s,
        "broker_rebalance_timeout": settings.rebalance_timeout_s,
        # A killed broker leaves requests unanswered, and each of them delays the return to the group by this
        # time. A join waits for other members no longer than their session timeout.
        "broker_request_timeout": max(20.0, settings.session_timeout_s + 5.0),
        "consumer_max_fetch_size": min(settings.batch_max_bytes, 2 * 1024 * 1024),
        "stream_wait_empty": False,
        "table_standby_replicas": 0,
    }
