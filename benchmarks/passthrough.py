"""Passthrough, exactly once: the same million events through each contestant on one broker."""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cluster import Cluster
from benchmarks.events import plain_events, produce
from benchmarks.peer_process import contestant, watch
from benchmarks.peers.contestant import PASSTHROUGH, Contestant, Work

PARTITIONS = 4
SIZE = 330


@dataclass(slots=True)
class Passed:
    """What a contestant did.

    Attributes:
        name: The contestant's.
        guarantee: What it promises.
        version: Of its library.
        per_s: Events a second, one figure for each turn.
        moved: Events that a read_committed reader found, over all turns.
        surplus: How many of those were there twice or more.
        peak_mib: The most resident memory.
    """

    name: str
    guarantee: str
    version: str
    per_s: list[float] = field(default_factory=list)
    moved: int = 0
    surplus: int = 0
    peak_mib: float = 0.0

    @property
    def median_per_s(self) -> float:
        """The median over the turns."""
        return statistics.median(self.per_s)


def measure(
    cluster: Cluster,
    contestants: Mapping[str, Contestant],
    *,
    events: int,
    rounds: int,
    limit_s: float,
    tell: Callable[[str], None],
) -> dict[str, Passed]:
    """Let all contestants take turns, round by round, on the same input.

    Args:
        cluster: The broker.
        contestants: By short name.
        events: How many there are to pass through.
        rounds: Turns of each contestant.
        limit_s: A turn ends after so long, however far it got.
        tell: Told in a line what happens.
    """
    source = "passthrough-source"
    cluster.create(source, PARTITIONS, retention_ms="-1")
    tell(f"writing {events:,} events of {SIZE} bytes")
    produce(cluster.bootstrap, source, plain_events(events, SIZE))
    results = {
        short: Passed(each.name, each.guarantee, each.version()) for short, each in contestants.items()
    }
    for number in range(rounds):
        for short, each in contestants.items():
            result = results[short]
            _turn(cluster, each, result, source, f"{short}-{number}", events, limit_s)
            tell(f"{each.name}: {result.per_s[-1]:,.0f} events/s")
    cluster.delete([source])
    return results


def _turn(
    cluster: Cluster,
    which: Contestant,
    result: Passed,
    source: str,
    turn: str,
    events: int,
    limit_s: float,
) -> None:
    before = cluster.topics()
    sink, group = f"passthrough-sink-{turn}", f"passthrough-{turn}"
    cluster.create(sink, PARTITIONS, retention_ms="-1")
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, PASSTHROUGH, source, sink, group, Path(state), PARTITIONS)
        with contestant(which, work) as process:
            last = [0]

            def progress() -> int:
                return cluster.stable_end(sink, PARTITIONS)[0]

            def done() -> bool:
                end, settled = cluster.stable_end(sink, PARTITIONS)
                still, last[0] = end == last[0], end
                return settled and still and end >= events

            watch(process, progress, done, limit_s)
    found = cluster.read_committed(sink, PARTITIONS)
    result.per_s.append(found.per_s)
    result.moved += found.records
    result.surplus += found.records - found.distinct
    result.peak_mib = max(result.peak_mib, process.peak_mib)
    cluster.delete(cluster.topics() - before)


def ratios(results: Mapping[str, Passed], ours: str) -> dict[str, float]:
    """How many times as fast as each other contestant `ours` was, by medians of the turns."""
    mine = results[ours].median_per_s
    return {short: mine / each.median_per_s for short, each in results.items() if short != ours}
