"""The interface of all contestants: the work of a worker process, and the command that starts it."""

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

It writes nothing to the sink. Its progress is the group's committed offsets.
"""

RECOVER = "recover"
"""Restore the table of `counter` from its changelog, print a line, and continue as `counter`.

The line is `recovered N rows, S s after start`, where S was measured before the rows were counted. It is
printed after each later rebalance too, and a worker without partitions has 0 rows.
"""

SESSION_TIMEOUT_S = 10.0
"""The session timeout of all contestants' groups in seconds, so that all have the same pause after a kill."""

HEARTBEAT_INTERVAL_S = 3.0


class PeerMissing(Exception):
    """A contestant's library or build tool is missing; the message says what to install."""


@dataclass(frozen=True)
class Work:
    """The work of one worker process.

    Attributes:
        bootstrap: The addresses of the brokers.
        job: `passthrough`, `counter` or `recover`.
        source: The topic to read, from its beginning if the group has no offset yet.
        sink: The topic that `passthrough` writes.
        group: The consumer group, which is part of the names of internal topics.
        state: The directory of this worker, which is kept between its starts.
        partitions: The number of partitions of the source, the sink and the changelogs.
    """

    bootstrap: str
    job: str
    source: str
    sink: str
    group: str
    state: Path
    partitions: int

    def arguments(self) -> list[str]:
        """Return the options of a peer's command line."""
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
    """A configured stream processor that supports some of the jobs.

    A worker starts at the source's first offset and exits within ten seconds of SIGTERM. It may be killed,
    and continues when it is started again with the same group and state.

    Attributes:
        name: The name in tables.
        guarantee: The documented guarantee: `exactly once` or `at least once`.
        version: Returns the installed version of the library; raises PeerMissing if it is not installed.
        jobs: The supported jobs.
        command: Returns the command that starts one worker; it may build the program first.
        environment: Additional environment variables of the worker.
        elastic: Whether several workers, each with its own directory, can divide the source's partitions.
    """

    name: str
    guarantee: str
    version: Callable[[], str]
    jobs: frozenset[str]
    command: Callable[[Work], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    elastic: bool = True


def installed(distribution: str) -> str:
    """Return the installed version of a distribution.

    Raises:
        PeerMissing: The distribution is not installed.
    """
    try:
        return version(distribution)
    except PackageNotFoundError:
        raise PeerMissing(
            f"{distribution} is not installed; run `make setup-peers` or pip install -e '.[peers]'"
        ) from None


def python_command(module: str, *options: str) -> Callable[[Work], list[str]]:
    """Return a command that starts a module of this package as a worker, with additional options."""

    def command(work: Work) -> list[str]:
        return [sys.executable, "-m", f"benchmarks.peers.{module}", *work.arguments(), *options]

    return command
