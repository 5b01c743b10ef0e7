"""Processors without Kafka: makes records, and applies the changes of a batch as a lane does."""

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.dead_letters import REASON
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.outputs import changelog_end
from streams.lanes.agent import AgentProcessor, BatchAgent
from streams.lanes.processor import Processor, catch_up
from streams.records import MemoryRecord, Output, Partition, Record
from streams.state.stores import MemoryStore
from streams.state.tables import Table, Tables, TableSpec
from streams.topics import DEAD_LETTER

NOW_MS = 1_772_000_000_000
"""The timestamp of records, in February 2026."""


def tables_of(spec: TableSpec[Any], partition: int = 0) -> Tables:
    """Create the tables of a lane: one empty table in memory."""
    return Tables([Table(spec, MemoryStore())], partition)


def processor_of(agent: BatchAgent, partitions: int = 1) -> AgentProcessor:
    """The processor of an agent where every topic has this number of partitions, in the group `group`."""
    return AgentProcessor(agent, partitions, DeadLetterBuilder("group", partitions))


class Source:
    """Makes the records of one partition of a topic, with growing offsets."""

    def __init__(self, topic: str, partition: int = 0, offset: int = 0) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset

    def record(
        self,
        value: bytes | None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp: int = NOW_MS,
    ) -> MemoryRecord:
        """Make the next record."""
        record = MemoryRecord(self.topic, self.partition, self.offset, timestamp, key, value, headers)
        self.offset += 1
        return record

    def moved(self, output: Output) -> MemoryRecord:
        """Make the record that a reader of `output` gets."""
        return self.record(output.value, output.key, output.headers)


async def process_batch(processor: Processor, records: Sequence[Record], tables: Tables) -> list[Output]:
    """Process a batch and apply its changes, as after a commit."""
    outputs = await processor.process(records, tables)
    changes = tables.changes()
    written = {
        Partition(table.spec.changelog, tables.partition): changelog_end(table) + 1 for table in tables
    }
    tables.apply(changes, written, NOW_MS)
    return outputs


async def caught_up(processor: Processor, tables: Tables) -> list[Output]:
    """Let a processor catch up once, and apply its changes."""
    outputs = await catch_up(processor, tables)
    changes = tables.changes()
    written = {
        Partition(table.spec.changelog, tables.partition): changelog_end(table) + 1 for table in tables
    }
    tables.apply(changes, written, NOW_MS)
    return outputs


def to(topic: str, outputs: Iterable[Output]) -> list[Output]:
    """Select the outputs to a topic."""
    return [output for output in outputs if output.topic == topic]


def header(output: Output, name: str) -> str:
    """Decode a header."""
    return dict(output.headers)[name].decode()


def reasons(outputs: Iterable[Output]) -> list[str]:
    """List the reasons of the dead letters among `outputs`."""
    return [header(output, REASON) for output in to(DEAD_LETTER, outputs)]
