"""Measures the behavior agents on real baskets, exactly once. Peers run a counter on the same events."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import Cluster
from benchmarks.events import basket_events, keyed_behavior, produce
from benchmarks.peer_process import (
    ProgressCurve,
    RunningProcess,
    running,
    running_contestant,
    wait_until_done,
)
from benchmarks.peers.contestant import COUNTER, Contestant, Work
from streams.topics import CO_BEHAVIOR, USER_BEHAVIOR

PARTITIONS = 4
BOTH_AGENTS = "shelfstream-whole"
"""The short name of shelfstream's two agents together; other contestants run a counter."""
_SHELFSTREAM = Path(sys.executable).with_name("shelfstream")


@dataclass(frozen=True, slots=True)
class BehaviorResult:
    """The result of a contestant.

    Attributes:
        name: The contestant.
        work: What it computes for an event.
        per_s: Events per second.
        moved: The number of processed events.
        peak_mib: Peak resident memory in MiB.
    """

    name: str
    work: str
    per_s: float
    moved: int
    peak_mib: float


def measure(
    cluster: Cluster,
    contestants: Mapping[str, Contestant],
    *,
    events: int,
    max_lines: int,
    limit_s: float,
    on_progress: Callable[[str], None],
) -> dict[str, BehaviorResult]:
    """Run shelfstream's two agents, then a counter of each contestant, on the same events.

    Args:
        cluster: A broker that was not used before.
        contestants: The contestants that run a counter, by short name.
        events: The number of events.
        max_lines: Baskets with more lines are left out.
        limit_s: The maximum duration of a turn in seconds.
        on_progress: Receives a line of text for each step.

    Returns:
        The results by short name.
    """
    environment = settings_of(cluster)
    subprocess.run([str(_SHELFSTREAM), "topics", "create"], env=environment, check=True, capture_output=True)
    on_progress(f"writing {events:,} behavior events")
    produce(cluster.bootstrap, USER_BEHAVIOR, keyed_behavior(basket_events(events, max_lines)))
    results = {BOTH_AGENTS: _sessions_and_affinity(cluster, environment, events, limit_s)}
    on_progress(f"shelfstream, sessions and affinity: {results[BOTH_AGENTS].per_s:,.0f} events/s")
    for short_name, each in contestants.items():
        results[short_name] = _count(cluster, short_name, each, events, limit_s)
        on_progress(f"{each.name}, a counter: {results[short_name].per_s:,.0f} events/s")
    return results


def settings_of(cluster: Cluster, **settings: object) -> dict[str, str]:
    """Return the environment of a `shelfstream` command on this cluster, with these settings."""
    values = {
        "bootstrap_servers": cluster.bootstrap,
        "partitions": PARTITIONS,
        "http_port": -1,
        "log_level": "warning",
        # No contestant compresses.
        "compression": "none",
        **settings,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHELFSTREAM_")}
    return inherited | {f"SHELFSTREAM_{name.upper()}": str(value) for name, value in values.items()}


def _sessions_and_affinity(
    cluster: Cluster, environment: dict[str, str], events: int, limit_s: float
) -> BehaviorResult:
    def progress() -> int:
        return cluster.consumed("shelfstream", USER_BEHAVIOR, PARTITIONS)

    def done() -> bool:
        if progress() < events:
            return False
        # Only the marker of the last transaction follows the last record, one in each partition.
        end, no_open_transaction = cluster.stable_end(CO_BEHAVIOR, PARTITIONS)
        return (
            no_open_transaction
            and end - cluster.consumed("shelfstream", CO_BEHAVIOR, PARTITIONS) <= PARTITIONS
        )

    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        command = [str(_SHELFSTREAM), "worker", "--agents", "sessions,affinity"]
        with running(command, {**environment, "SHELFSTREAM_DATA_DIR": state}) as process:
            curve = wait_until_done(process, progress, done, limit_s)
    return _result("shelfstream's lanes", "sessions, affinity, preferences, next action", curve, process)


def _count(
    cluster: Cluster, short_name: str, contestant: Contestant, events: int, limit_s: float
) -> BehaviorResult:
    group = f"counter-{short_name}"

    def progress() -> int:
        return cluster.consumed(group, USER_BEHAVIOR, PARTITIONS)

    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, COUNTER, USER_BEHAVIOR, "", group, Path(state), PARTITIONS)
        progress()  # the first request takes seconds, in which many events may be processed
        with running_contestant(contestant, work) as process:
            curve = wait_until_done(process, progress, lambda: progress() >= events, limit_s)
    return _result(contestant.name, "a count per shopper", curve, process)


def _result(name: str, work: str, curve: ProgressCurve, process: RunningProcess) -> BehaviorResult:
    return BehaviorResult(name, work, curve.rate(), curve.seen[-1][1], process.peak_mib)
