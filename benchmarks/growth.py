"""Growth: throughput and memory as partitions, rows of state and records become more or larger."""

import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import Cluster
from benchmarks.events import Keyed, plain_events, produce
from benchmarks.peer_process import Running, contestant, watch
from benchmarks.peers.contestant import COUNTER, PASSTHROUGH, RECOVER, Contestant, Work

_PARTITIONS = 4
_LIMIT_S = 120.0
_RECOVERY_PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class Point:
    """One size and what came of it.

    Attributes:
        size: Partitions, rows, or bytes of a record.
        per_s: Events a second.
        mib_per_s: Bytes of their values a second, in MiB; 0 where that is no question.
        peak_mib: The worker's most resident memory.
    """

    size: int
    per_s: float
    mib_per_s: float
    peak_mib: float


def partitions(cluster: Cluster, which: Contestant, count: int, events: int) -> Point:
    """The passthrough of so many events over `count` partitions."""
    return _passthrough(cluster, which, count, count, plain_events(events, 330), events, 330)


def record_size(cluster: Cluster, which: Contestant, size: int, volume: int) -> Point:
    """The passthrough of `volume` bytes in records of `size` bytes."""
    events = min(1_000_000, volume // size)
    return _passthrough(cluster, which, size, _PARTITIONS, plain_events(events, size), events, size)


def rows(cluster: Cluster, which: Contestant, count: int, events: int) -> Point:
    """A counter over a table of `count` rows: fill it, then count `events` more at random keys."""
    before = cluster.topics()
    source, group = f"rows-{count}", f"rows-{count}"
    cluster.create(source, _PARTITIONS)
    produce(cluster.bootstrap, source, _filling(count, events))
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, COUNTER, source, "", group, Path(state), _PARTITIONS)

        def progress() -> int:
            return cluster.consumed(group, source, _PARTITIONS)

        progress()  # the first question takes seconds, in which much may be done
        with contestant(which, work) as process:
            course = watch(process, progress, lambda: progress() >= count + events, _LIMIT_S)
    cluster.delete(cluster.topics() - before)
    return Point(count, course.rate(beyond=count), 0.0, process.peak_mib)


def recovery_s(
    cluster: Cluster, which: Contestant, changelog: str, group: str, records: Iterator[Keyed]
) -> float:
    """Seconds from a worker's start, with nothing on its disk, until it has its table from the changelog.

    Args:
        cluster: The broker.
        which: The contestant, which can do the job `recover`.
        changelog: The topic that the table is restored from.
        group: The contestant's group.
        records: What the changelog holds.
    """
    before = cluster.topics()
    source = f"{group}-source"
    cluster.create(source, _PARTITIONS)
    cluster.create(changelog, _PARTITIONS, cleanup_policy="compact")
    produce(cluster.bootstrap, changelog, records)
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, RECOVER, source, "", group, Path(state), _PARTITIONS)
        with contestant(which, work) as process:
            # Nothing shows until all rows are there.
            watch(process, lambda: 0, lambda: _recovered(process)[0] > 0, _LIMIT_S, _RECOVERY_PATIENCE_S)
            seconds = _recovered(process)[1]
    cluster.delete(cluster.topics() - before)
    return seconds


def _recovered(process: Running) -> tuple[int, float]:
    """How many rows it says that it has, and after how many seconds."""
    found = re.findall(
        r"recovered (\d+) rows, ([\d.]+) s after start", process.log.read_text(errors="replace")
    )
    done = [(int(rows), float(seconds)) for rows, seconds in found if int(rows)]
    return done[0] if done else (0, 0.0)


def _filling(count: int, events: int) -> Iterator[Keyed]:
    """Each key once, then keys at random."""
    dice = random.Random(count)
    for number in range(count):
        yield b"key-%d" % number, b"{}"
    for _ in range(events):
        yield b"key-%d" % dice.randrange(count), b"{}"


def _passthrough(
    cluster: Cluster,
    which: Contestant,
    name: int,
    count: int,
    records: Iterator[Keyed],
    events: int,
    size: int,
) -> Point:
    before = cluster.topics()
    source, sink, group = f"growth-source-{name}", f"growth-sink-{name}", f"growth-{name}"
    for topic in (source, sink):
        cluster.create(topic, count)
    produce(cluster.bootstrap, source, records)
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, PASSTHROUGH, source, sink, group, Path(state), count)

        def progress() -> int:
            return cluster.consumed(group, source, count)

        with contestant(which, work) as process:
            watch(process, progress, lambda: progress() >= events, _LIMIT_S)
    # By the broker's own clock: with many lanes, most of it may be done between two looks.
    per_s = cluster.read_committed(sink, count).per_s
    cluster.delete(cluster.topics() - before)
    return Point(name, per_s, per_s * size / 2**20, process.peak_mib)
