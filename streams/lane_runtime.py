"""The lanes' runtime on Kafka: stores, restoration, offsets, dead letters. One per worker."""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from streams.agents.dead_letters import DeadLetterBuilder
from streams.backoff import TokenBucket
from streams.clients import aiokafka_options, consumer_options, current_confluent_options
from streams.faust_transport.group_offsets import GroupOffsets
from streams.lane_host import LaneHost
from streams.lanes.agent import AgentProcessor, BatchAgent
from streams.lanes.lane import Lane
from streams.lanes.observer import Observer
from streams.lanes.processor import Processor
from streams.lanes.runtime import LaneLimits, Progress
from streams.lanes.start_offsets import StartOffset, start_offset
from streams.lanes.transactional_writer import KafkaTransactionalWriter
from streams.pseudonym_keys import load_pseudonyms
from streams.records import Output, Partition, ReadPosition, Record
from streams.settings import Settings
from streams.state.restoration import open_reader, restore
from streams.state.stores import MemoryStore, RocksStore, Store
from streams.state.tables import Table, Tables, TableSpec
from streams.wrapping.processor import Adapter

log = structlog.get_logger()

_STALE_END_ATTEMPTS = 5
_STALE_END_WAIT_S = 2.0

AgentTables = Mapping[str, Sequence[TableSpec[Any]]]
"""The tables of each agent, by the agent's name."""


async def _no_wait() -> None:
    """Restore at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneContext:
    """What a worker's lanes are composed of. The composition root makes it; nothing changes it afterwards.

    Attributes:
        settings: The validated settings.
        processors: The processors of the agents.
        tables: The tables of each agent.
        state_dir: The worker's own directory for stores on disk.
        dead_letters: Builds dead letters.
        dead_letter_budget: How many dead letters may be written.
        observer: Receives what the lanes report.
        before_restore: Awaited before a lane restores its state.
    """

    settings: Settings
    processors: tuple[Processor, ...]
    tables: AgentTables
    state_dir: Path
    dead_letters: DeadLetterBuilder
    dead_letter_budget: TokenBucket
    observer: Observer
    before_restore: Callable[[], Awaitable[None]] = _no_wait


def agent_context(
    settings: Settings,
    agents: Sequence[BatchAgent],
    *,
    state_dir: Path,
    observer: Observer,
    before_restore: Callable[[], Awaitable[None]] = _no_wait,
    adapt: Adapter = lambda processor, dead_letters: processor,
) -> LaneContext:
    """Make the context of a worker that runs batch agents.

    Args:
        settings: The validated settings.
        agents: The agents.
        state_dir: The worker's own directory for stores on disk.
        observer: Receives what the lanes report.
        before_restore: Awaited before a lane restores its state.
        adapt: Puts something before each processor, such as the unwrapping of its records.
    """
    dead_letters = DeadLetterBuilder(settings.app_id, settings.partitions, load_pseudonyms(settings))
    return LaneContext(
        settings=settings,
        processors=tuple(
            adapt(AgentProcessor(agent, settings.partitions, dead_letters), dead_letters) for agent in agents
        ),
        tables={agent.name: agent.tables for agent in agents},
        state_dir=state_dir,
        dead_letters=dead_letters,
        dead_letter_budget=TokenBucket(
            settings.dead_letter_burst, settings.dead_letter_rate_per_s, time.monotonic()
        ),
        observer=observer,
        before_restore=before_restore,
    )


class KafkaLaneRuntime:
    """Implements `LaneRuntime`, and builds lanes.

    Args:
        context: What the lanes are composed of.
        host: The application.
    """

    def __init__(self, context: LaneContext, host: LaneHost) -> None:
        self._context = context
        self._host = host
        settings = context.settings
        self.offsets = GroupOffsets(
            settings.app_id,
            lambda: current_confluent_options(settings),
            settings.transaction_timeout_s,
            topic_ids=not settings.embedded,
        )
        self._topic_ids: dict[Partition, str] = {}
        self._truncated: dict[Partition, int] = {}

    def lane(self, processor: Processor, partition: int) -> Lane:
        """Build the lane of a processor for a partition. It is not started."""
        settings = self._context.settings
        limits = LaneLimits(
            batch_records=settings.batch_max_records,
            batch_bytes=settings.batch_max_bytes,
            batch_s=settings.batch_max_s,
            backoff_min_s=settings.retry_backoff_min_s,
            backoff_max_s=settings.retry_backoff_max_s,
            fenced_wait_s=2 * settings.session_timeout_s,
            linger_s=settings.batch_linger_ms / 1000,
            catch_up_s=settings.catch_up_s or math.inf,
        )
        writer = self._writer(processor, partition)
        return Lane(
            processor, partition, writer=writer, runtime=self, observer=self._context.observer, limits=limits
        )

    def open_tables(self, agent: str, partition: int) -> Tables:
        """Open the stores of a lane's tables; see `LaneRuntime`."""
        specs = self._context.tables.get(agent, ())
        return Tables([Table(spec, self._store(spec.name, partition)) for spec in specs], partition)

    async def restore(self, tables: Tables, progress: Progress) -> None:
        """Bring tables up to the end of their changelogs; see `LaneRuntime`."""
        await self._context.before_restore()
        if not list(tables):
            return
        await self._verify_stores(tables)
        async with open_reader(consumer_options(self._context.settings)) as reader:
            await restore(tables, reader, progress)

    async def _verify_stores(self, tables: Tables) -> None:
        """Set aside stores whose rows are of another changelog: its checkpoint could fit by chance."""
        ids = await self.offsets.topic_ids(table.spec.changelog for table in tables)
        for table in tables:
            topic_id = ids.get(table.spec.changelog, "")
            stored = table.store.changelog_id()
            if stored and topic_id and stored != topic_id:
                log.error(
                    "the local state is of another changelog topic; set aside, restoring from the topic",
                    table=table.spec.name,
                    partition=tables.partition,
                    state_of=stored,
                    topic_id=topic_id,
                    aside=table.set_aside(),
                )
            if topic_id and table.store.changelog_id() != topic_id:
                table.store.set_changelog_id(topic_id)

    async def start_offset(self, at: Partition, in_state: ReadPosition | None) -> StartOffset:
        """Return where to read an input; see `LaneRuntime`."""
        committed = await self.offsets.committed(at)
        read = max(each.offset for each in (committed, in_state, ReadPosition(0)) if each is not None)
        input_log = await self.offsets.log(at)
        for _ in range(_STALE_END_ATTEMPTS):
            if read <= input_log.end or at in self._truncated:
                break
            # Just after an election a leader may not know its own end yet.
            await self._host.sleep(_STALE_END_WAIT_S)
            input_log = await self.offsets.log(at)
        if read > input_log.end:
            self._truncated.setdefault(at, input_log.end)
        if at in self._truncated:
            # What producers wrote since must not hide that the log lost its end.
            input_log = replace(input_log, end=min(input_log.end, self._truncated[at]))
        start = start_offset(
            at,
            input_log,
            committed=committed,
            in_state=in_state,
            on_topic_recreated=self._context.settings.on_topic_recreated,
        )
        self._truncated.pop(at, None)
        self._topic_ids[at] = input_log.topic_id or (committed.topic_id if committed is not None else "")
        if start.problem:
            log.error("reading where on_topic_recreated says", offset=start.offset, reason=start.problem)
        elif committed is not None and start.offset > committed.offset + start.expired:
            log.warning(
                "the group's offset is behind the state, reading from where the state ends",
                partition=str(at),
                group=committed.offset,
                state=start.offset,
            )
        return start

    def topic_id(self, at: Partition) -> str:
        """Return the id of an input's topic when its lane opened; see `LaneRuntime`."""
        return self._topic_ids.get(at, "")

    async def recreated_inputs(self) -> dict[Partition, str]:
        """Return what happened to each input whose topic has another id than when its lane opened.

        Raises:
            RetryLater: The broker does not answer.
        """
        known = {at: id_ for at, id_ in self._topic_ids.items() if id_}
        now = await self.offsets.topic_ids(at.topic for at in known) if known else {}
        return {
            at: f"the id of topic {at.topic} changed from {id_} to {now[at.topic]}"
            for at, id_ in known.items()
            if now.get(at.topic, id_) != id_
        }

    async def seek(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        """Deliver records from these offsets on."""
        await self._host.consumer_thread.seek_all(offsets, epoch)

    def is_member(self) -> bool:
        """Return whether the worker is a member of its consumer group."""
        return self._host.consumer_thread.is_member()

    def dead_letter(self, record: Record, error: Exception, stage: str) -> Output:
        """Build the dead letter of a record."""
        return self._context.dead_letters(record, error, stage)

    async def throttle(self, dead_letters: int) -> None:
        """Wait until the budget allows this number of dead letters."""
        if dead_letters == 0:
            return
        wait_s = self._context.dead_letter_budget.spend(dead_letters, time.monotonic())
        if wait_s > 0:
            log.error(
                "too many dead letters, slowing down: check that the topic is right, and that its producer"
                " follows the contract",
                count=dead_letters,
                wait_s=round(wait_s, 1),
            )
            await self._host.sleep(wait_s)

    def capacity_changed(self) -> None:
        """Wake the consumer: a lane may have room for more records."""
        self._host.capacity_changed()

    def stop(self, error: BaseException) -> None:
        """Stop the worker because of an error in a lane."""
        log.error("a lane failed for good, stopping the worker", error=str(error))
        self._host.stop_because(error)

    def _writer(self, processor: Processor, partition: int) -> KafkaTransactionalWriter:
        settings = self._context.settings
        inputs = [Partition(topic, partition) for topic in processor.topics]
        specs = self._context.tables.get(processor.name, ())
        changelogs = [Partition(spec.changelog, partition) for spec in specs]
        return KafkaTransactionalWriter(
            f"{settings.app_id}-{processor.name}-{partition}",
            settings.app_id,
            timeout_s=settings.transaction_timeout_s,
            transaction_timeout_s=settings.transaction_timeout_s,
            compression=None if settings.compression == "none" else settings.compression,
            client=aiokafka_options(settings),
            # The embedded broker loses nothing, and readers see aborted records too.
            inputs=() if settings.embedded else inputs,
            changelogs=() if settings.embedded else changelogs,
        )

    def _store(self, table: str, partition: int) -> Store:
        settings = self._context.settings
        if settings.state_store == "memory":
            return MemoryStore()
        return RocksStore(self._context.state_dir / settings.app_id / f"{table}-{partition}")
