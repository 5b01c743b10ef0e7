"""Testing a batch agent without Kafka."""

import time
from collections.abc import Iterable, Sequence
from typing import TypeVar

from streams.agents.dead_letters import DeadLetterBuilder
from streams.lanes.agent import AgentProcessor, BatchAgent
from streams.lanes.bisection import Bisection
from streams.lanes.runtime import LaneLimits
from streams.records import Headers, MemoryRecord, Output, Partition
from streams.state.stores import MemoryStore
from streams.state.tables import Table, Tables, TableSpec

V = TypeVar("V")


class AgentTester:
    """Runs an agent on one partition, with tables in memory, as a lane runs it.

    A batch commits when `process` returns. A batch that raises is bisected, and poison records become dead
    letters.

    Example:
        tester = AgentTester(count_brands)
        outputs = await tester.process("brand-viewed", [(b"acme", b'{"brand": "acme"}')])
        assert tester.table(counts).get(b"acme") == 1

    Args:
        agent: The agent.
        partition: The partition of its records and tables.
        partitions: The number of partitions of every topic.
    """

    def __init__(self, agent: BatchAgent, partition: int = 0, partitions: int = 1) -> None:
        self._partition = partition
        self._offsets = dict.fromkeys(agent.topics, 0)
        self._tables = Tables([Table(spec, MemoryStore()) for spec in agent.tables], partition)
        dead_letters = DeadLetterBuilder("test", partitions)
        self._bisection = Bisection(
            AgentProcessor(agent, partitions, dead_letters),
            LaneLimits(),
            lambda record, error: dead_letters(record, error, agent.name),
        )

    async def process(
        self,
        topic: str,
        records: Iterable[tuple[bytes | None, bytes | None] | tuple[bytes | None, bytes | None, Headers]],
    ) -> Sequence[Output]:
        """Process records as one batch, and commit it.

        Args:
            topic: The input topic of all records.
            records: Key and value, and headers if there are any, in offset order.

        Returns:
            The outputs and dead letters, without changelog records.

        Raises:
            RetryLater: The agent asks for a repetition. Nothing has changed.
            StopWorker: The agent stops the worker. Nothing has changed.
        """
        batch: list[MemoryRecord] = []
        for key, value, *headers in records:
            offset, now_ms = self._offsets[topic] + len(batch), int(time.time() * 1000)
            batch.append(
                MemoryRecord(
                    topic, self._partition, offset, now_ms, key, value, headers[0] if headers else ()
                )
            )
        try:
            outputs, changes = await self._bisection.process(batch, self._tables)
        except BaseException:
            self._tables.discard()
            raise
        self._offsets[topic] += len(batch)
        changelog = self._tables.changelog(changes)
        written = {Partition(each.topic, each.partition): 1 for each in [*outputs, *changelog]}
        self._tables.apply(changes, written, int(time.time() * 1000))
        return outputs

    def table(self, spec: TableSpec[V]) -> Table[V]:
        """Return the agent's table."""
        return self._tables.of(spec)
