"""The composition root of the lanes: settings and processors in, a Faust application out."""

import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import faust
import structlog
from yarl import URL

from streams.agents.dead_letters import DeadLetterBuilder
from streams.backoff import TokenBucket
from streams.clients import aiokafka_options, confluent_options, consumer_options
from streams.faust_transport.aiokafka_patches.header_decoding import patch_header_decoding
from streams.faust_transport.aiokafka_patches.record_class import patch_record_class
from streams.faust_transport.group_offsets import GroupOffsets
from streams.faust_transport.transport import Delivery, LaneConsumer, LaneTopic
from streams.faust_transport.versions import check_versions
from streams.lanes.assignment import Lanes
from streams.lanes.lane import Lane
from streams.lanes.lane_config import LaneLimits, LaneParts
from streams.lanes.observer import Observer
from streams.lanes.processor import Processor
from streams.lanes.transactional_writer import KafkaTransactionalWriter
from streams.records import Partition
from streams.settings import Settings
from streams.state.restoration import Progress, open_reader, restore
from streams.state.stores import MemoryStore, RocksStore, Store
from streams.state.tables import Table, Tables, TableSpec

log = structlog.get_logger()

_GOODBYE_S = 10.0

TablesOf = Mapping[str, Sequence[TableSpec[Any]]]


class LaneApp(faust.App):
    """A Faust application whose agents move whole partition batches through lanes."""

    lanes: Lanes
    factory: "LaneFactory"
    overdue: Callable[[], None]
    kafka_client: dict[str, Any]

    async def on_stop(self) -> None:
        """Let the lanes finish or undo their work before the consumer leaves the group."""
        await self.lanes.close()
        # What is left is saying goodbye, which a broker that is away would make us wait for.
        leave = threading.Timer(_GOODBYE_S, self.overdue)
        leave.daemon = True
        leave.start()
        await super().on_stop()


def leave(app: LaneApp) -> None:
    """End the program: the lanes are closed, and nobody answers our goodbye. Called in a thread."""
    log.warning("the broker does not answer; leaving without a goodbye, the group will notice")
    os._exit(0 if app.crash_reason is None else 1)


class KafkaInputs:
    """The reading side of the lanes: Faust's consumer thread, and the group's offsets."""

    def __init__(self, app: LaneApp, offsets: GroupOffsets) -> None:
        self._app = app
        self._offsets = offsets

    @property
    def _consumer(self) -> LaneConsumer:
        return cast(LaneConsumer, self._app.consumer)

    def is_member(self) -> bool:
        """Whether the group's coordinator knows us."""
        return self._consumer.thread.is_member()

    async def committed(self, at: Partition) -> int:
        """The group's committed offset of `at`, or its first offset."""
        return await self._offsets.committed(at)

    async def seek(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        """Deliver from these offsets on."""
        await self._consumer.thread.seek_all(offsets, epoch)


class LaneFactory:
    """Builds lanes; everything that all lanes of a worker share is here.

    Args:
        app: the application they belong to.
        settings: the validated settings.
        tables: what each agent keeps, by the agent's name.
        state_dir: the worker's own folder for stores on disk.
        observer: hears what the lanes do.
        before_restore: awaited before a lane restores its state.
    """

    def __init__(
        self,
        app: LaneApp,
        settings: Settings,
        tables: TablesOf,
        state_dir: Path,
        observer: Observer,
        before_restore: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._tables = tables
        self._state_dir = state_dir
        self._observer = observer
        self._before_restore = before_restore
        offsets = GroupOffsets(settings.app_id, confluent_options(settings), settings.transaction_timeout_s)
        self._inputs = KafkaInputs(app, offsets)
        self._burial = DeadLetterBuilder(settings.app_id, settings.partitions)
        self.dead_letters = TokenBucket(
            settings.dead_letter_burst, settings.dead_letter_rate_per_s, time.monotonic()
        )

    def __call__(self, processor: Processor, partition: int) -> Lane:
        """The lane of an agent for a partition, not yet started."""
        settings = self._settings
        limits = LaneLimits(
            batch_records=settings.batch_max_records,
            batch_bytes=settings.batch_max_bytes,
            backoff_min_s=settings.retry_backoff_min_s,
            backoff_max_s=settings.retry_backoff_max_s,
            fenced_patience_s=2 * settings.session_timeout_s,
            linger_s=settings.batch_linger_ms / 1000,
        )
        parts = LaneParts(
            writer=self._writer(processor, partition),
            open_tables=lambda: self._open_tables(processor.name, partition),
            inputs=self._inputs,
            restore=self._restore,
            dead_letter=self._burial,
            admit=self._admit,
            changed=self._app.lanes.changed,
            stop=self._stop,
            is_member=self._inputs.is_member,
            observer=self._observer,
            limits=limits,
        )
        return Lane(processor, partition, parts)

    def _writer(self, processor: Processor, partition: int) -> KafkaTransactionalWriter:
        settings = self._settings
        inputs = [Partition(topic, partition) for topic in processor.topics]
        changelogs = [Partition(spec.changelog, partition) for spec in self._tables.get(processor.name, ())]
        return KafkaTransactionalWriter(
            f"{settings.app_id}-{processor.name}-{partition}",
            settings.app_id,
            timeout_s=settings.transaction_timeout_s,
            transaction_timeout_s=settings.transaction_timeout_s,
            compression=None if settings.compression == "none" else settings.compression,
            client=aiokafka_options(settings),
            # The embedded broker loses nothing, and shows aborted records too.
            inputs=() if settings.embedded else inputs,
            changelogs=() if settings.embedded else changelogs,
        )

    def _open_tables(self, agent: str, partition: int) -> Tables:
        tables = [Table(spec, self._store(spec.name, partition)) for spec in self._tables.get(agent, ())]
        return Tables(tables, partition)

    def _store(self, table: str, partition: int) -> Store:
        if self._settings.state_store == "memory":
            return MemoryStore()
        return RocksStore(self._state_dir / self._settings.app_id / f"{table}-{partition}")

    async def _restore(self, tables: Tables, progress: Progress) -> None:
        if self._before_restore is not None:
            await self._before_restore()
        if not list(tables):
            return
        async with open_reader(consumer_options(self._settings)) as reader:
            await restore(tables, reader, progress)

    async def _admit(self, count: int) -> None:
        if count == 0:
            return
        wait_s = self.dead_letters.spend(count, time.monotonic())
        if wait_s > 0:
            log.error(
                "dead letters come faster than allowed: is this the right topic, and does its producer keep"
                " to the contract? slowing down",
                count=count,
                wait_s=round(wait_s, 1),
            )
            await self._app.sleep(wait_s)

    def _stop(self, error: BaseException) -> None:
        log.error("a lane cannot go on; the worker stops", error=str(error))
        self._app.loop.create_task(self._app.crash(error))


def build_app(
    settings: Settings,
    processors: Sequence[Processor],
    tables: TablesOf,
    *,
    state_dir: Path,
    observer: Observer,
    before_restore: Callable[[], Awaitable[None]] | None = None,
) -> LaneApp:
    """Wire a Faust application that runs `processors` over lanes.

    Args:
        settings: the validated settings.
        processors: the agents.
        tables: what each agent keeps, by the agent's name.
        state_dir: the worker's own folder.
        observer: hears what the lanes do.
        before_restore: awaited before a lane restores its state.

    Raises:
        StopWorker: Faust or aiokafka is not of a tested version.
    """
    check_versions()
    patch_header_decoding()
    patch_record_class()
    app = LaneApp(settings.app_id, **_faust_options(settings, state_dir))
    app.overdue = partial(leave, app)
    app.kafka_client = consumer_options(settings)
    app.kafka_client.pop("client_id")
    factory = app.factory = LaneFactory(app, settings, tables, state_dir, observer, before_restore)
    app.lanes = Lanes(
        processors,
        factory,
        revoke_budget_s=settings.revoke_budget_s,
        in_flight_bytes=settings.in_flight_max_bytes,
        on_assigned=observer.assigned,
    )
    for processor in processors:
        _add_agent(app, processor)
    return app


def _faust_options(settings: Settings, state_dir: Path) -> dict[str, Any]:
    """What Faust is told: our timing of the group, and to leave to the lanes what the lanes do."""
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
        # A broker that is killed may leave requests unanswered, and each delays the return to the group by
        # as much; a join waits for others for no longer than their session timeout.
        "broker_request_timeout": max(20.0, settings.session_timeout_s + 5.0),
        "consumer_max_fetch_size": min(settings.batch_max_bytes, 2 * 1024 * 1024),
        "stream_wait_empty": False,
        "table_standby_replicas": 0,
    }


def _add_agent(app: LaneApp, processor: Processor) -> None:
    """A Faust agent that hands each partition batch to its lane."""

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            delivery: Delivery = event.value
            tp = event.message.tp
            app.lanes.deliver(Partition(tp.topic, tp.partition), delivery)

    # The lanes commit; Faust must not.
    app.agent(app.topic(*processor.topics, acks=False), name=processor.name)(agent)
