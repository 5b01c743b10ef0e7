"""Quix Streams, exactly once: its dataframe, and its state on RocksDB.

Run: `python -m benchmarks.peers.quix --help`.

Its transactional ids are random, so a killed worker is not fenced. Its open transaction hides later records
from read_committed consumers until the broker aborts it, by default after 60 seconds.
"""

from typing import Any

import click

from benchmarks.peers.command_line import takes_work
from benchmarks.peers.contestant import (
    COUNTER,
    HEARTBEAT_INTERVAL_S,
    PASSTHROUGH,
    SESSION_TIMEOUT_S,
    Work,
    installed,
)

DISTRIBUTION = "quixstreams"
COUNT = "count"


def build_app(work: Work, commit_interval_s: float) -> Any:
    """Build the application for this work, with its dataframe.

    Raises:
        PeerMissing: Quix Streams is not installed.
    """
    installed(DISTRIBUTION)
    from quixstreams import Application

    app = Application(
        broker_address=work.bootstrap,
        consumer_group=work.group,
        auto_offset_reset="earliest",
        commit_interval=commit_interval_s,
        processing_guarantee="exactly-once",
        state_dir=work.state,
        consumer_extra_config={
            "session.timeout.ms": round(SESSION_TIMEOUT_S * 1000),
            "heartbeat.interval.ms": round(HEARTBEAT_INTERVAL_S * 1000),
        },
        loglevel="WARNING",
    )
    # By default `to_topic` keeps the record's key, and its partitioner is murmur2.
    if work.job == PASSTHROUGH:
        rows = app.dataframe(app.topic(work.source, value_deserializer="json"))
        rows.update(_mark).to_topic(app.topic(work.sink, value_serializer="json"))
    else:
        rows = app.dataframe(app.topic(work.source, value_deserializer="bytes"))
        rows.update(_count, stateful=True)
    return app


def _mark(value: dict[str, Any]) -> None:
    value["seen"] = True


def _count(_value: bytes, state: Any) -> None:
    state.set(COUNT, state.get(COUNT, 0) + 1)


@click.command()
@takes_work(PASSTHROUGH, COUNTER)
@click.option(
    "--commit-interval",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Commit interval in seconds.",
)
def main(work: Work, commit_interval: float) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    build_app(work, commit_interval).run()


if __name__ == "__main__":
    main()
