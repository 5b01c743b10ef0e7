"""Stock Faust: an agent over `take_events`, and a table.

Run: `python -m benchmarks.peers.stock_faust --help`.

With `exactly_once`, Faust uses transactions only for topics that it also reads. Records for the sink are sent
outside of transactions, to the partition that murmur2 assigns to the key.
"""

import asyncio
import time
from typing import Any

import click
import faust
import msgspec
import uvloop

from benchmarks.peers.command_line import takes_work
from benchmarks.peers.contestant import (
    COUNTER,
    HEARTBEAT_INTERVAL_S,
    PASSTHROUGH,
    RECOVER,
    SESSION_TIMEOUT_S,
    Work,
)

TABLE = "counts"
TAKE = 500
TAKE_WITHIN_S = 0.1

_started = time.monotonic()


def changelog_topic(group: str) -> str:
    """Return the changelog topic of the table of `counter` and `recover`.

    It has as many partitions as the source. The worker creates it as a compacted topic if it is missing.
    """
    return f"{group}-{TABLE}-changelog"


def changelog_record(key: bytes, count: int) -> tuple[bytes, bytes]:
    """Return key and value of a changelog record: the event's key, and the count in decimal digits (JSON).

    The record must be in the same partition as the key's events in the source.
    """
    return key, b"%d" % count


def build_app(work: Work, guarantee: str, store: str) -> faust.App:
    """Build the application for this work, with its agent and table."""
    app = faust.App(
        work.group,
        broker=f"kafka://{work.bootstrap}",
        store=store,
        datadir=str(work.state),
        processing_guarantee=guarantee,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_INTERVAL_S,
        topic_partitions=work.partitions,
        topic_replication_factor=1,
        topic_disable_leader=True,
        # Tables need no standby. Without a table, exactly once needs Faust's assignor, which it uses only if
        # standbys are configured.
        table_standby_replicas=1 if work.job == PASSTHROUGH else 0,
        web_enabled=False,
    )
    raw: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "value_serializer": "raw"}
    source = app.topic(work.source, **raw)
    if work.job == PASSTHROUGH:
        app.agent(source, name=PASSTHROUGH)(_passthrough(app.topic(work.sink, **raw)))
    else:
        counts = app.Table(TABLE, key_type=bytes, value_type=int, partitions=work.partitions, default=int)
        app.agent(source, name=COUNTER)(_counter(counts))
        if work.job == RECOVER:
            _announce_recovery(app, counts)
    return app


def _passthrough(sink: Any) -> Any:
    async def passthrough(stream: Any) -> None:
        async for events in stream.take_events(TAKE, within=TAKE_WITHIN_S):
            sent = []
            for event in events:
                value = msgspec.json.decode(event.value)
                value["seen"] = True
                encoded = msgspec.json.encode(value)
                sent.append(await sink.send(key=event.key, value=encoded, partition=event.message.partition))
            # The next iteration acknowledges the events, so their outputs must be in Kafka before.
            await asyncio.gather(*sent)

    return passthrough


def _counter(counts: Any) -> Any:
    async def counter(stream: Any) -> None:
        # Events are processed one by one, because a table uses the partition of the current event.
        async for event in stream.events():
            counts[event.key] += 1

    return counter


def _announce_recovery(app: Any, counts: Any) -> None:
    async def announce(*_: Any, **__: Any) -> None:
        elapsed_s = time.monotonic() - _started
        click.echo(f"recovered {len(counts)} rows, {elapsed_s:.3f} s after start")

    app.on_rebalance_complete.connect(announce, weak=False)


@click.command()
@takes_work(PASSTHROUGH, COUNTER, RECOVER)
@click.option(
    "--guarantee",
    type=click.Choice(["exactly_once", "at_least_once"]),
    default="exactly_once",
    show_default=True,
)
@click.option(
    "--store", type=click.Choice(["memory://", "rocksdb://"]), default="memory://", show_default=True
)
def main(work: Work, guarantee: str, store: str) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    app = build_app(work, guarantee, store)
    worker = faust.Worker(app, loglevel="warning", redirect_stdouts=False, quiet=True)
    worker.spinner = None  # its escape codes would precede the line that a driver waits for
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
