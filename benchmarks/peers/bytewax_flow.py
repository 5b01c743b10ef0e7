"""Bytewax, at least once: a dataflow between its Kafka connectors, with recovery.

Run: `python -m benchmarks.peers.bytewax_flow --help`.

Bytewax does not join a consumer group. It stores its offsets in its recovery store at the end of each epoch,
and the size of a cluster is fixed. One process does the work. SIGTERM ends it like SIGKILL; after a restart
it repeats the events since the end of the last epoch.

It does not support `counter`, because its progress would show neither in a group's offsets nor in the sink.
"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.peers.command_line import takes_work
from benchmarks.peers.contestant import PASSTHROUGH, Work, installed

DISTRIBUTION = "bytewax"


def build_flow(work: Work) -> Any:
    """Build the dataflow from the source to the sink.

    Raises:
        PeerMissing: Bytewax is not installed.
    """
    installed(DISTRIBUTION)
    from bytewax import operators
    from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
    from bytewax.dataflow import Dataflow

    def mark(messages: Iterable[Any]) -> list[Any]:
        marked = []
        for message in messages:
            value = msgspec.json.decode(message.value)
            value["seen"] = True
            marked.append(KafkaSinkMessage(message.key, msgspec.json.encode(value)))
        return marked

    brokers = work.bootstrap.split(",")
    flow = Dataflow(PASSTHROUGH)
    messages = operators.input("source", flow, KafkaSource(brokers, [work.source]))
    marked = operators.flat_map_batch("mark", messages, mark)
    # The connector does not pass on the partition, and librdkafka's default partitioner is not Java's.
    sink = KafkaSink(brokers, work.sink, {"partitioner": "murmur2_random", "enable.idempotence": "true"})
    operators.output("sink", marked, sink)
    return flow


def _recovery(folder: Path, partitions: int) -> Any:
    """Return the recovery store in `folder`, created on first use."""
    from bytewax.recovery import RecoveryConfig, init_db_dir

    if not any(folder.glob("*.sqlite3")):
        init_db_dir(folder, partitions)
    return RecoveryConfig(str(folder))


@click.command()
@takes_work(PASSTHROUGH)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--epoch",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="An epoch's length in seconds.",
)
def main(work: Work, threads: int, epoch: float) -> None:
    """Run a worker until it is killed."""
    flow = build_flow(work)
    from bytewax.run import cli_main

    cli_main(
        flow,
        workers_per_process=threads,
        epoch_interval=timedelta(seconds=epoch),
        recovery_config=_recovery(work.state, threads),
    )


if __name__ == "__main__":
    main()
