"""Exactly-once batch agents with state: the public interface. `docs/writing-an-agent.md` explains it.

app = BatchApp("brands", bootstrap_servers="localhost:9092")
viewed = app.topic("brand-viewed", Viewed)
counts = app.table("counts", int)

@app.agent(viewed, tables=[counts])
async def count_brands(batches: Batches) -> None:
async for batch in batches:
...

app.run()
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import structlog

from schemas.errors import InvalidEvent, RetryLater, ShelfstreamError, StopWorker
from streams.agent_tester import AgentTester
from streams.app import build_app
from streams.backoff import Backoff
from streams.lane_runtime import agent_context
from streams.lanes.agent import AgentFunction, BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.lanes.log_observer import LogObserver
from streams.lanes.observer import Observer
from streams.lanes.typed_topic import Topic, json_table
from streams.program import new_loop, run_program
from streams.records import Output, Record
from streams.replay.broker_admin import BrokerAdmin
from streams.settings_sources import load_settings
from streams.state.tables import Table, TableSpec
from streams.state.worker_directory import WorkerDirectory
from streams.topics import DEAD_LETTER, MIB, Cleanup, TopicSpec, describe_differences, diff, diff_partitions

__all__ = [
    "BatchApp", "BatchAgent", "batch_agent", "Batches", "Batch", "Record", "Output", "Topic", "Table",
    "TableSpec", "AgentTester", "Observer", "ShelfstreamError", "InvalidEvent", "RetryLater", "StopWorker",
]  # fmt: skip

T = TypeVar("T")

log = structlog.get_logger()

_VISIBLE_WITHIN_S = 30.0


class BatchApp:
    """A program of batch agents. Workers with the same `app_id` share the partitions.

    Args:
        app_id: Names the consumer group, the transactions and the changelogs.
        settings: Settings of shelfstream by name, such as `bootstrap_servers`, `partitions` or `data_dir`.
            They override the environment variables `SHELFSTREAM_…`, which override the defaults.

    Raises:
        StopWorker: A setting is unknown or invalid.
    """

    def __init__(self, app_id: str, **settings: Any) -> None:
        given = {name: str(each) if isinstance(each, Path) else each for name, each in settings.items()}
        self.settings = load_settings(options={"app_id": app_id, **given}).settings
        self._agents: list[BatchAgent] = []
        self._topics: set[str] = set()

    def topic(self, name: str, value_type: type[T]) -> Topic[T]:
        """Declare a topic whose values are JSON of one type.

        Args:
            name: The topic's name.
            value_type: A type that msgspec knows: a `Struct`, a dataclass, a builtin type.
        """
        self._topics.add(name)
        return Topic(name, value_type)

    def table(self, name: str, row_type: type[T]) -> TableSpec[T]:
        """Declare a table whose rows are JSON of one type. Its changelog is `<app_id>-<name>-changelog`.

        Args:
            name: The table's name.
            row_type: A type that msgspec knows. Rows are not changed in place: use a frozen type.
        """
        return json_table(name, f"{self.settings.app_id}-{name}-changelog", row_type)

    def agent(
        self, *topics: str | Topic[Any], tables: Sequence[TableSpec[Any]] = (), name: str | None = None
    ) -> Callable[[AgentFunction], BatchAgent]:
        """Add a function as an agent; see `streams.lanes.agent.batch_agent`."""

        def decorate(function: AgentFunction) -> BatchAgent:
            return self.add(batch_agent(*topics, tables=tables, name=name)(function))

        return decorate

    def add(self, agent: BatchAgent) -> BatchAgent:
        """Add an agent.

        Raises:
            ValueError: An agent of this name, or another agent with one of its topics, was added before.
        """
        for other in self._agents:
            if other.name == agent.name or set(other.topics) & set(agent.topics):
                raise ValueError(f"agents {other.name} and {agent.name} share their name or an input topic")
        self._agents.append(agent)
        return agent

    def create_topics(self) -> None:
        """Create the missing topics: declared topics, inputs, changelogs and `dead-letter`.

        Raises:
            RetryLater: The broker does not answer, or does not show the new topics in time.
            StopWorker: The broker refuses.
        """
        admin = BrokerAdmin(self.settings)
        specs = self._specs()
        existing = admin.topics()
        admin.create(spec for spec in specs if spec.name not in existing)
        # A broker answers before all of its metadata has the new topics.
        deadline = time.monotonic() + _VISIBLE_WITHIN_S
        while missing := [spec.name for spec in specs if spec.name not in admin.topics()]:
            if time.monotonic() > deadline:
                raise RetryLater(f"topics were created, but the broker does not show {', '.join(missing)}")
            time.sleep(0.1)

    def run(self, observer: Observer | None = None) -> None:
        """Run the agents in this thread until SIGTERM, SIGINT or an error.

        Args:
            observer: Receives what the lanes report; None logs it.

        Raises:
            StopWorker: Topics, library versions or directories are not usable.
        """
        self._verify_topics()
        with WorkerDirectory(self.settings.data_dir) as directory:
            loop = new_loop()
            context = agent_context(
                self.settings, self._agents, state_dir=directory.path, observer=observer or LogObserver()
            )
            run_program(loop, build_app(context))

    def _verify_topics(self) -> None:
        """Verify that the topics exist and fit. Wait without limit for a broker that does not answer."""
        backoff = Backoff(self.settings.retry_backoff_min_s, self.settings.retry_backoff_max_s)
        specs = self._specs()
        while True:
            try:
                actual = BrokerAdmin(self.settings).describe([spec.name for spec in specs])
                break
            except RetryLater as error:
                wait_s = backoff.next()
                log.warning("Kafka is unreachable, waiting", error=str(error), wait_s=round(wait_s, 1))
                time.sleep(wait_s)
        missing = [spec.name for spec in specs if spec.name not in actual]
        if missing:
            raise StopWorker(f"missing topics: {', '.join(missing)}; `BatchApp.create_topics` creates them")
        internal = [spec for spec in specs if spec.internal]
        wrong = [*diff_partitions(specs, actual), *(each for each in diff(internal, actual) if each.refused)]
        if wrong:
            raise StopWorker(f"topics do not fit:\n{describe_differences(list(dict.fromkeys(wrong)))}")

    def _specs(self) -> list[TopicSpec]:
        """Return the specification of each topic; `internal` ones must have the right cleanup policy."""
        changelogs = {table.changelog for agent in self._agents for table in agent.tables}
        inputs = {topic for agent in self._agents for topic in agent.topics}

        def spec(name: str, carries: str, cleanup: Cleanup, mebibytes: int, internal: bool) -> TopicSpec:
            retention_ms, key = None, "that of the agent"
            return TopicSpec(
                name, key, carries, self.settings.partitions, cleanup, retention_ms, mebibytes * MIB, internal
            )

        return [
            *(spec(each, "records", Cleanup.DELETE, 1, False) for each in sorted(self._topics | inputs)),
            *(spec(each, "rows of a table", Cleanup.COMPACT, 2, True) for each in sorted(changelogs)),
            spec(DEAD_LETTER, "records that could not be processed", Cleanup.DELETE, 4, True),
        ]
