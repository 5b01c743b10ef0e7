"""Measures the passthrough of the same events by each contestant on one broker."""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cluster import Cluster
from benchmarks.events import plain_events, produce
from benchmarks.peer_process import running_contestant, wait_until_done
from benchmarks.peers.contestant import PASSTHROUGH, Contestant, Work

PARTITIONS = 4
SIZE = 330


@dataclass(slots=True)
class PassthroughResult:
    """The result of a contestant.

    Attributes:
        name: The contestant.
        guarantee: Its processing guarantee.
        version: The version of its library.
        per_s: Events per second, one figure for each turn.
        moved: The number of committed output events of all turns.
        surplus: The number of duplicates among them.
        peak_mib: Peak resident memory in MiB.
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
        """The median of the turns, in events per second."""
        return statistics.median(self.per_s)


def measure(
    cluster: Cluster,
    contestants: Mapping[str, Contestant],
    *,
    events: int,
    rounds: int,
    limit_s: float,
    on_progress: Callable[[str], None],
) -> dict[str, PassthroughResult]:
    """Let all contestants take turns, round by round, on the same input.

    Args:
        cluster: The broker.
        contestants: The contestants by short name.
        events: The number of events.
        rounds: The number of turns of each contestant.
        limit_s: The maximum duration of a turn in seconds.
        on_progress: Receives a line of text for each step.

    Returns:
        The results by short name.
    """
    source = "passthrough-source"
    cluster.create(source, PARTITIONS, retention_ms="-1")
    on_progress(f"writing {events:,} events of {SIZE} bytes")
    produce(cluster.bootstrap, source, plain_events(events, SIZE))
    results = {
        short_name: PassthroughResult(each.name, each.guarantee, each.version())
        for short_name, each in contestants.items()
    }
    for number in range(rounds):
        for short_name, each in contestants.items():
            result = results[short_name]
            _turn(cluster, each, result, source, f"{short_name}-{number}", events, limit_s)
            on_progress(f"{each.name}: {result.per_s[-1]:,.0f} events/s")
    cluster.delete([source])
    return results


def _turn(
    cluster: Cluster,
    contestant: Contestant,
    result: PassthroughResult,
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
        with running_contestant(contestant, work) as process:
            last_end = [0]

            def progress() -> int:
                return cluster.stable_end(sink, PARTITIONS)[0]

            def done() -> bool:
                end, no_open_transaction = cluster.stable_end(sink, PARTITIONS)
                unchanged, last_end[0] = end == last_end[0], end
                return no_open_transaction and unchanged and end >= events

            wait_until_done(process, progress, done, limit_s)
    committed = cluster.read_committed(sink, PARTITIONS)
    result.per_s.append(committed.per_s)
    result.moved += committed.records
    result.surplus += committed.records - committed.distinct
    result.peak_mib = max(result.peak_mib, process.peak_mib)
    cluster.delete(cluster.topics() - before)


def ratios(results: Mapping[str, PassthroughResult], ours: str) -> dict[str, float]:
    """Return how many times faster `ours` was than each other contestant, by medians of the turns."""
    our_per_s = results[ours].median_per_s
    return {
        short_name: our_per_s / each.median_per_s
        for short_name, each in results.items()
        if short_name != ours
    }
