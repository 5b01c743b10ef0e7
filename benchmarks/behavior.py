"""The behaviour path, exactly once: real baskets through sessions and affinity; the peers only count."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import Cluster
from benchmarks.events import basket_events, keyed_behaviour, produce
from benchmarks.peer_process import Course, Running, contestant, running, watch
from benchmarks.peers.contestant import COUNTER, Contestant, Work
from streams.topics import CO_BEHAVIOR, USER_BEHAVIOR

PARTITIONS = 4
WHOLE = "shelfstream-whole"
"""The short name of the two agents; the others only count."""
_SHELFSTREAM = Path(sys.executable).with_name("shelfstream")


@dataclass(frozen=True, slots=True)
class Worked:
    """What a contestant did with the behaviour.

    Attributes:
        name: The contestant's.
        work: What it does with an event.
        per_s: Events a second.
        moved: Events that it had done when it was done, or its time was up.
        peak_mib: The most resident memory.
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
    most_lines: int,
    limit_s: float,
    tell: Callable[[str], None],
) -> dict[str, Worked]:
    """Shelfstream's two agents, then the others' counters, on the same behaviour.

    Args:
        cluster: A broker on which nothing has been measured yet.
        contestants: Those that count, by short name.
        events: How many.
        most_lines: Baskets with more are left out.
        limit_s: A turn ends after so long, however far it got.
        tell: Told in a line what happens.
    """
    environment = settings_of(cluster)
    subprocess.run([str(_SHELFSTREAM), "topics", "create"], env=environment, check=True, capture_output=True)
    tell(f"writing {events:,} behaviour events")
    produce(cluster.bootstrap, USER_BEHAVIOR, keyed_behaviour(basket_events(events, most_lines)))
    results = {WHOLE: _sessions_and_affinity(cluster, environment, events, limit_s)}
    tell(f"shelfstream, sessions and affinity: {results[WHOLE].per_s:,.0f} events/s")
    for short, each in contestants.items():
        results[short] = _count(cluster, short, each, events, limit_s)
        tell(f"{each.name}, a counter: {results[short].per_s:,.0f} events/s")
    return results


def settings_of(cluster: Cluster, **settings: object) -> dict[str, str]:
    """The environment of a `shelfstream` command on this cluster."""
    own = {
        "bootstrap_servers": cluster.bootstrap,
        "partitions": PARTITIONS,
        "http_port": -1,
        "log_level": "warning",
        # No contestant compresses.
        "compression": "none",
        **settings,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHELFSTREAM_")}
    return inherited | {f"SHELFSTREAM_{name.upper()}": str(value) for name, value in own.items()}


def _sessions_and_affinity(
    cluster: Cluster, environment: dict[str, str], events: int, limit_s: float
) -> Worked:
    def progress() -> int:
        return cluster.consumed("shelfstream", USER_BEHAVIOR, PARTITIONS)

    def done() -> bool:
        if progress() < events:
            return False
        # All that follows the last record is its transaction's marker, one in each partition.
        end, settled = cluster.stable_end(CO_BEHAVIOR, PARTITIONS)
        return settled and end - cluster.consumed("shelfstream", CO_BEHAVIOR, PARTITIONS) <= PARTITIONS

    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        command = [str(_SHELFSTREAM), "worker", "--agents", "sessions,affinity"]
        with running(command, {**environment, "SHELFSTREAM_DATA_DIR": state}) as process:
            course = watch(process, progress, done, limit_s)
    return _worked("shelfstream's lanes", "sessions, affinity, tastes, next step", course, process)


def _count(cluster: Cluster, short: str, which: Contestant, events: int, limit_s: float) -> Worked:
    group = f"counter-{short}"

    def progress() -> int:
        return cluster.consumed(group, USER_BEHAVIOR, PARTITIONS)

    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, COUNTER, USER_BEHAVIOR, "", group, Path(state), PARTITIONS)
        progress()  # the first question takes seconds, in which much may be done
        with contestant(which, work) as process:
            course = watch(process, progress, lambda: progress() >= events, limit_s)
    return _worked(which.name, "a count per shopper", course, process)


def _worked(name: str, work: str, course: Course, process: Running) -> Worked:
    return Worked(name, work, course.rate(), course.seen[-1][1], process.peak_mib)
