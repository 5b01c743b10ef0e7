"""shelfstream's lanes with a processor of a few lines: exactly once, one transaction per batch.

Run: `python -m benchmarks.peers.shelfstream_lanes --help`.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

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
from streams.lanes.lane import Lane
from streams.lanes.observer import LaneState, Observer
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


class Passthrough:
    """Adds a field to each event; partition n of the source goes to partition n of the sink.

    Args:
        source: the topic read.
        sink: the topic written.
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


class Counting:
    """Counts each key's events in a table.

    Args:
        source: the topic read.
        counts: the table.
    """

    name = COUNTER

    def __init__(self, source: str, counts: TableSpec[int]) -> None:
        self.topics = (source,)
        self._counts = counts

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """See `Processor.process`."""
        table = tables.of(self._counts)
        for key, count in Counter(record.key or b"" for record in records).items():
            table.put(key, (table.get(key) or 0) + count)
        return []


class Announcing(Observer):
    """Says when all lanes have their state."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._rows: dict[int, int] = {}

    def lane_changed(self, lane: Lane, state: LaneState, detail: str) -> None:
        """A lane that runs has restored its table."""
        if state is LaneState.RUNNING:
            self._rows[lane.partition] = sum(rows for rows, _ in lane.sizes().values())
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
def main(work: Work) -> None:
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
    processor: Any = Passthrough(work.source, work.sink)
    if work.job != PASSTHROUGH:
        _make_changelog(work)
        processor = Counting(work.source, counts)
    observer = Announcing(work.partitions) if work.job == RECOVER else Observer()
    app = build_app(settings, [processor], {COUNTER: [counts]}, state_dir=work.state, observer=observer)
    run_program(loop, app)


if __name__ == "__main__":
    main()
