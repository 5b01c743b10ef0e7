"""Measures throughput and memory by the number of partitions, rows of state, and record size."""

import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import Cluster
from benchmarks.events import Keyed, plain_events, produce
from benchmarks.peer_process import RunningProcess, running_contestant, wait_until_done
from benchmarks.peers.contestant import COUNTER, PASSTHROUGH, RECOVER, Contestant, Work

_PARTITIONS = 4
_LIMIT_S = 120.0
_RECOVERY_PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """The result for one size.

    Attributes:
        size: The number of partitions, rows, or bytes of a record.
        per_s: Events per second.
        mib_per_s: MiB of values per second; 0 if values are not measured.
        peak_mib: Peak resident memory of the worker in MiB.
    """

    size: int
    per_s: float
    mib_per_s: float
    peak_mib: float


def partitions(cluster: Cluster, contestant: Contestant, count: int, events: int) -> GrowthPoint:
    """Measure the passthrough of events over `count` partitions."""
    return _passthrough(cluster, contestant, count, count, plain_events(events, 330), events, 330)


def record_size(cluster: Cluster, contestant: Contestant, size: int, volume: int) -> GrowthPoint:
    """Measure the passthrough of `volume` bytes in records of `size` bytes."""
    events = min(1_000_000, volume // size)
    return _passthrough(cluster, contestant, size, _PARTITIONS, plain_events(events, size), events, size)


def rows(cluster: Cluster, contestant: Contestant, count: int, events: int) -> GrowthPoint:
    """Measure a counter on a table of `count` rows: fill it, then count `events` events at random keys."""
    before = cluster.topics()
    source, group = f"rows-{count}", f"rows-{count}"
    cluster.create(source, _PARTITIONS)
    produce(cluster.bootstrap, source, _filling(count, events))
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, COUNTER, source, "", group, Path(state), _PARTITIONS)

        def progress() -> int:
            return cluster.consumed(group, source, _PARTITIONS)

        progress()  # the first request takes seconds, in which many events may be processed
        with running_contestant(contestant, work) as process:
            curve = wait_until_done(process, progress, lambda: progress() >= count + events, _LIMIT_S)
    cluster.delete(cluster.topics() - before)
    return GrowthPoint(count, curve.rate(beyond=count), 0.0, process.peak_mib)


def recovery_s(
    cluster: Cluster, contestant: Contestant, changelog: str, group: str, records: Iterator[Keyed]
) -> float:
    """Measure the restoration of a table from its changelog, by a worker with an empty disk.

    Args:
        cluster: The broker.
        contestant: A contestant that supports the job `recover`.
        changelog: The topic that the table is restored from.
        group: The contestant's group.
        records: The records of the changelog.

    Returns:
        Seconds from the worker's start until the table is restored.
    """
    before = cluster.topics()
    source = f"{group}-source"
    cluster.create(source, _PARTITIONS)
    cluster.create(changelog, _PARTITIONS, cleanup_policy="compact")
    produce(cluster.bootstrap, changelog, records)
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, RECOVER, source, "", group, Path(state), _PARTITIONS)
        with running_contestant(contestant, work) as process:
            # There is no progress to observe until all rows are restored.
            wait_until_done(
                process, lambda: 0, lambda: _recovered(process)[0] > 0, _LIMIT_S, _RECOVERY_PATIENCE_S
            )
            seconds = _recovered(process)[1]
    cluster.delete(cluster.topics() - before)
    return seconds


def _recovered(process: RunningProcess) -> tuple[int, float]:
    """Return the number of restored rows, and the seconds, from the process's log."""
    lines = re.findall(
        r"recovered (\d+) rows, ([\d.]+) s after start", process.log.read_text(errors="replace")
    )
    done = [(int(rows), float(seconds)) for rows, seconds in lines if int(rows)]
    return done[0] if done else (0, 0.0)


def _filling(count: int, events: int) -> Iterator[Keyed]:
    """Yield each key once, then random keys."""
    rng = random.Random(count)
    for number in range(count):
        yield b"key-%d" % number, b"{}"
    for _ in range(events):
        yield b"key-%d" % rng.randrange(count), b"{}"


def _passthrough(
    cluster: Cluster,
    contestant: Contestant,
    name: int,
    count: int,
    records: Iterator[Keyed],
    events: int,
    size: int,
) -> GrowthPoint:
    before = cluster.topics()
    source, sink, group = f"growth-source-{name}", f"growth-sink-{name}", f"growth-{name}"
    for topic in (source, sink):
        cluster.create(topic, count)
    produce(cluster.bootstrap, source, records)
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, PASSTHROUGH, source, sink, group, Path(state), count)

        def progress() -> int:
            return cluster.consumed(group, source, count)

        with running_contestant(contestant, work) as process:
            wait_until_done(process, progress, lambda: progress() >= events, _LIMIT_S)
    # The broker's timestamps are used, because with many lanes most events may be processed between two
    # polls.
    per_s = cluster.read_committed(sink, count).per_s
    cluster.delete(cluster.topics() - before)
    return GrowthPoint(name, per_s, per_s * size / 2**20, process.peak_mib)
