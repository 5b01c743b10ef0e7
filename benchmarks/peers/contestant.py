"""The interface of all contestants: what a worker process is asked to do, and how one is started."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PASSTHROUGH = "passthrough"
"""Read JSON objects from the source, add `"seen": true`, write them to the sink under the same key.

Keys are bytes. Equal keys end up in equal partitions: that of the source, or where murmur2 puts the key.
"""

COUNTER = "counter"
"""Count the source's events by key in a table that outlives the process; values are not decoded.

Nothing goes to the sink. How far it got shows in the group's committed offsets.
"""

RECOVER = "recover"
"""Rebuild the table of `counter` from its changelog, say so, and go on as `counter`.

It says so in one line, `recovered N rows, S s after start`, where S was taken before the rows were counted.
Each later rebalance says so again, and a worker without partitions has 0 rows.
"""

SESSION_TIMEOUT_S = 10.0
"""How long the groups of all contestants wait for a silent worker: after a kill, all have the same pause."""

HEARTBEAT_INTERVAL_S = 3.0


class PeerMissing(Exception):
    """A contestant's library or build tool is not there; the message says what to install."""


@dataclass(frozen=True)
class Work:
    """What one worker process is asked to do.

    Attributes:
        bootstrap: the brokers' addresses.
        job: `passthrough`, `counter` or `recover`.
        source: the topic to read, from its beginning where the group has no offset yet.
        sink: the topic that `passthrough` writes.
        group: the consumer group; internal topics are named after it.
        state: the worker's own folder: kept between its starts, and shared with no other worker.
        partitions: of the source, the sink and the changelogs.
    """

    bootstrap: str
    job: str
    source: str
    sink: str
    group: str
    state: Path
    partitions: int

    def arguments(self) -> list[str]:
        """As options of a peer's command line."""
        options = {
            "--bootstrap": self.bootstrap,
            "--job": self.job,
            "--source": self.source,
            "--sink": self.sink,
            "--group": self.group,
            "--state": str(self.state),
            "--partitions": str(self.partitions),
        }
        return [part for option in options.items() for part in option]


@dataclass(frozen=True)
class Contestant:
    """A stream processor, configured, that can do some of the jobs.

    A worker begins at the source's first offset, ends within ten seconds of SIGTERM, and may be killed;
    started again with the same group and state it goes on.

    Attributes:
        name: as shown in tables.
        guarantee: `exactly once` or `at least once`: what it promises, not what it keeps.
        version: the library's installed version; raises PeerMissing where it is not installed.
        jobs: what it can do.
        command: the argument vector that starts one worker; may build what is to be started.
        environment: variables that the worker needs besides those of its parent.
        elastic: whether several workers, each with its own state folder, share the source's partitions.
    """

    name: str
    guarantee: str
    version: Callable[[], str]
    jobs: frozenset[str]
    command: Callable[[Work], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    elastic: bool = True


def installed(distribution: str) -> str:
    """The installed version of a peer's distribution.

    Raises:
        PeerMissing: it is not installed.
    """
    try:
        return version(distribution)
    except PackageNotFoundError:
        raise PeerMissing(
            f"{distribution} is not installed; `make setup-peers`, or pip install -e '.[peers]', brings it"
        ) from None


def python_command(module: str, *options: str) -> Callable[[Work], list[str]]:
    """Starts a module of this package as a worker, with these options besides those that the work gives."""

    def command(work: Work) -> list[str]:
        return [sys.executable, "-m", f"benchmarks.peers.{module}", *work.arguments(), *options]

    return command
