"""How long a rebalance silences partitions: `python -m tests.chaos.rebalance`. Prints a table.

Workers of the agent `sessions` join and leave under a steady load, with the default settings. A partition's
silence is the longest time between two of its outputs.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from typing import NamedTuple

import click
import orjson
from confluent_kafka import Producer

from schemas.keys import partition_for
from streams.settings import Settings
from streams.topics import SHOPPER_UPDATED, USER_BEHAVIOR
from tests.support.deployment import Deployment
from tests.support.kafka import own_kafka
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess

_INTERVAL_S = 0.02
_CALM_S = 4.0
_DEFAULTS = Settings()
Owners = dict[int, int]
"""The index of the worker that runs each partition."""


class Step(NamedTuple):
    """A rebalance.

    Attributes:
        name: What happened.
        moved: The partitions that another worker has now.
        silence_s: Seconds of silence of each partition.
    """

    name: str
    moved: frozenset[int]
    silence_s: dict[int, float]

    def row(self) -> str:
        """Return the row of the table."""
        groups = (
            [silence for partition, silence in self.silence_s.items() if (partition in self.moved) is moved]
            for moved in (False, True)
        )
        longest = " | ".join(f"{max(group):.1f} s" if group else "—" for group in groups)
        return f"| {self.name} | {len(self.moved)} of {len(self.silence_s)} | {longest} |"


class Load:
    """One event for each partition at a steady rate, until the end of the `with` block."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        self._users = dict(self._user_of(partition, partitions) for partition in range(partitions))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.flush()

    @staticmethod
    def _user_of(partition: int, partitions: int) -> tuple[int, str]:
        users = (f"u{number}" for number in count())
        return partition, next(
            user for user in users if partition_for(user.encode(), partitions) == partition
        )

    def _run(self) -> None:
        for number in count():
            if self._stop.wait(_INTERVAL_S):
                return
            for partition, user in self._users.items():
                event = {
                    "event_id": f"{user}-{number}",
                    "user_id": user,
                    "product_id": f"p{number % 50}",
                    "action": "purchase",
                    "occurred_at": datetime.now(UTC),
                }
                self._producer.produce(USER_BEHAVIOR, orjson.dumps(event), user, partition)
            self._producer.poll(0)


def owners(workers: Iterable[WorkerProcess]) -> Owners:
    """Return which worker runs each partition."""
    return {
        lane["partition"]: number
        for number, worker in enumerate(workers)
        if worker.alive
        for lane in worker.status()["lanes"]
        if lane["state"] == "running"
    }


def silences(deployment: Deployment, begun: float, ended: float) -> dict[int, float]:
    """Return the longest silence of each partition between two times, in seconds since 1970."""
    times: dict[int, list[float]] = {}
    for message in deployment.read(SHOPPER_UPDATED):
        written = message.timestamp()[1] / 1000
        if begun <= written <= ended:
            times.setdefault(message.partition(), [begun]).append(written)
    return {
        partition: max(later - earlier for earlier, later in pairwise([*sorted(at), ended]))
        for partition, at in sorted(times.items())
    }


class Scenario:
    """The workers of a deployment, and what is measured when they come and go.

    Args:
        deployment: Topics and workers.
        partitions: The number of partitions.
    """

    def __init__(self, deployment: Deployment, partitions: int) -> None:
        self._deployment = deployment
        self._partitions = partitions
        self.workers: list[WorkerProcess] = []

    def join(self) -> None:
        """Start one more worker."""
        self.workers.append(self._deployment.worker("sessions"))

    def all_run(self) -> bool:
        """Whether every partition runs, and every worker that lives has one."""
        try:
            found = owners(self.workers)
        except OSError:
            return False
        alive = {number for number, worker in enumerate(self.workers) if worker.alive}
        return len(found) == self._partitions and set(found.values()) == alive

    def measure(self, name: str, change: Callable[[], None]) -> Step:
        """Change the group, wait until all partitions run again, and measure."""
        before, begun = owners(self.workers), time.time()
        change()
        wait_until(self.all_run)
        time.sleep(_CALM_S)
        after, ended = owners(self.workers), time.time()
        moved = frozenset(partition for partition, owner in after.items() if before[partition] != owner)
        return Step(name, moved, silences(self._deployment, begun, ended))


@click.command()
@click.option("--checkout", type=click.Path(path_type=Path, exists=True), help="Measure another checkout.")
def main(checkout: Path | None) -> None:
    """Let workers join and leave, and print how many partitions moved and how long they were silent."""
    kafka = own_kafka()
    try:
        kafka.start()
        with tempfile.TemporaryDirectory(prefix="shelfstream-") as folder:
            settings = {
                name: getattr(_DEFAULTS, name)
                for name in ("session_timeout_s", "rebalance_timeout_s", "partitions")
            }
            with Deployment(kafka.bootstrap, Path(folder), **settings) as deployment:
                deployment.environment.pop("SHELFSTREAM_HEARTBEAT_INTERVAL_S")
                if checkout is not None:
                    deployment.environment["PYTHONPATH"] = str(checkout.absolute())
                _run(deployment)
    finally:
        kafka.remove()


def _run(deployment: Deployment) -> None:
    scenario = Scenario(deployment, _DEFAULTS.partitions)
    scenario.join()
    wait_until(scenario.all_run)
    click.echo("| change | moved | silence of those that stay | silence of those that move |")
    click.echo("| --- | --- | --- | --- |")
    with Load(deployment.bootstrap, _DEFAULTS.partitions):
        time.sleep(_CALM_S)
        for name in ("a second worker joins", "a third worker joins"):
            click.echo(scenario.measure(name, scenario.join).row())
        click.echo(scenario.measure("the third worker stops", lambda: _stop(scenario.workers[2])).row())
        click.echo(scenario.measure("the second worker is killed", scenario.workers[1].kill).row())


def _stop(worker: WorkerProcess) -> None:
    worker.stop()


if __name__ == "__main__":
    main()
