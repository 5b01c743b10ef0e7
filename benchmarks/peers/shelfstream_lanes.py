"""shelfstream's lanes with an agent of a few lines: exactly once, one transaction per batch.

Run: `python -m benchmarks.peers.shelfstream_lanes --help`.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import click
import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.peers.command_line import takes_work
from benchmarks.peers.contestant import (
    COUNTER,
    HEARTBEAT_INTERVAL_S,
    PASSTHROUGH,
    RECOVER,
    SESSION_TIMEOUT_S,
    Work,
)
from streams.app import build_app
from streams.lane_runtime import agent_context
from streams.lanes.agent import BatchAgent, Batches, batch_agent
from streams.lanes.observer import LaneState, LaneView, Observer
from streams.program import new_loop, run_program
from streams.records import Output, Record
from streams.settings import Settings
from streams.state.tables import Tables, TableSpec

_started = time.monotonic()


def changelog_topic(group: str) -> str:
    """The name of the changelog of the table of `counter` and `recover`."""
    return f"{group}-counts-changelog"


def changelog_record(key: bytes, count: int) -> tuple[bytes, bytes]:
    """Key and value of a changelog's record: the event's own key, and the count in decimal digits."""
    return key, b"%d" % count


def passthrough_agent(source: str, sink: str) -> BatchAgent:
    """Make the agent that adds a field to each event. A record keeps its partition number."""

    @batch_agent(source, name=PASSTHROUGH)
    async def passthrough(batches: Batches) -> None:
        decode, encode = msgspec.json.decode, msgspec.json.encode
        async for batch in batches:
            for record in batch:
                value = decode(record.value or b"")
                value["seen"] = True
                batch.send(sink, key=record.key, value=encode(value), partition=record.partition)

    return passthrough


class BarePassthrough:
    """The same as a `Processor`, without the shape of an agent: shows what the shape costs.

    Args:
        source: The topic to read.
        sink: The topic to write.
    """

    name = PASSTHROUGH

    def __init__(self, source: str, sink: str) -> None:
        self.topics = (source,)
        self._sink = sink

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """See `Processor.process`."""
        sink, decode, encode = self._sink, msgspec.json.decode, msgspec.json.encode
        outputs = []
        for record in records:
            value = decode(record.value or b"")
            value["seen"] = True
            outputs.append(Output(sink, record.partition, record.key, encode(value)))
        return outputs


def counting_agent(source: str, counts: TableSpec[int]) -> BatchAgent:
    """Make the agent that counts each key's events in a table."""

    @batch_agent(source, tables=[counts], name=COUNTER)
    async def count(batches: Batches) -> None:
        async for batch in batches:
            table = batch.table(counts)
            for key, number in Counter(record.key or b"" for record in batch).items():
                table.put(key, (table.get(key) or 0) + number)

    return count


class Announcing(Observer):
    """Says when all lanes have their state."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._rows: dict[int, int] = {}

    def lane_changed(self, lane: LaneView, state: LaneState, detail: str) -> None:
        """A lane that runs has restored its table."""
        if state is LaneState.RUNNING:
            self._rows[lane.partition] = sum(rows for rows, _ in lane.table_sizes().values())
            if len(self._rows) == self._partitions:
                elapsed_s = time.monotonic() - _started
                click.echo(f"recovered {sum(self._rows.values())} rows, {elapsed_s:.3f} s after start")


def _make_changelog(work: Work) -> None:
    """Make the changelog, unless it is there: lanes expect their topics."""
    topic = changelog_topic(work.group)
    new = NewTopic(topic, work.partitions, 1, config={"cleanup.policy": "compact"})
    admin = AdminClient({"bootstrap.servers": work.bootstrap})
    try:
        admin.create_topics([new])[topic].result(30)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


@click.command()
@takes_work(PASSTHROUGH, COUNTER, RECOVER)
@click.option("--bare", is_flag=True, help="Pass through with a processor instead of an agent.")
def main(work: Work, bare: bool) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    settings = Settings(
        bootstrap_servers=work.bootstrap,
        app_id=work.group,
        partitions=work.partitions,
        session_timeout_s=SESSION_TIMEOUT_S,
        heartbeat_interval_s=HEARTBEAT_INTERVAL_S,
        compression="none",
    )
    loop = new_loop()
    counts: TableSpec[int] = TableSpec("counts", changelog_topic(work.group), lambda row: b"%d" % row, int)
    agent = passthrough_agent(work.source, work.sink)
    if work.job != PASSTHROUGH:
        _make_changelog(work)
        agent = counting_agent(work.source, counts)
    observer = Announcing(work.partitions) if work.job == RECOVER else Observer()
    context = agent_context(settings, [agent], state_dir=work.state, observer=observer)
    if bare:
        context = replace(context, processors=(BarePassthrough(work.source, work.sink),))
    run_program(loop, build_app(context))


if __name__ == "__main__":
    main()
