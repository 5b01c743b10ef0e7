"""`wait_until_processed` believes no worker that is between two owners of a partition."""

import signal
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from models.behavior.parameters import BehaviorParameters
from schemas.codec import encode
from schemas.keys import shopper_id
from streams.demo.sample_shop import iter_baskets
from streams.topics import USER_BEHAVIOR
from tests.support.broker import StartableKafka
from tests.support.deployment import PARTITIONS, Deployment, unowned_lanes
from tests.support.oracle import wrong_affinities
from tests.support.worker_process import Status, WorkerProcess

BOUND = 3_000


def status(agents: str, *lanes: tuple[str, int, str]) -> Status:
    keys = ("agent", "partition", "state")
    return {"agents": agents.split(), "lanes": [dict(zip(keys, lane, strict=True)) for lane in lanes]}


def running(agent: str, *partitions: int) -> list[tuple[str, int, str]]:
    return [(agent, partition, "running") for partition in partitions]


def test_every_partition_of_every_agent_needs_one_owner() -> None:
    first = status("sessions affinity", *running("sessions", 0, 1, 2, 3), *running("affinity", 0, 1))
    second = status("affinity", *running("affinity", 2, 3))
    assert unowned_lanes([first, second]) == set()
    assert unowned_lanes([first]) == {("affinity", 2), ("affinity", 3)}
    assert unowned_lanes([first, second, status("affinity", *running("affinity", 3))]) == {("affinity", 3)}
    restoring = status("affinity", *running("affinity", 2), ("affinity", 3, "restoring"))
    assert unowned_lanes([first, restoring]) == {("affinity", 3)}


def test_an_agent_that_no_worker_runs_needs_no_owner() -> None:
    assert unowned_lanes([]) == set()
    assert unowned_lanes([status("enrich", *running("enrich", 0, 1, 2, 3))]) == set()
    assert unowned_lanes([status("enrich")]) == {("enrich", partition) for partition in range(PARTITIONS)}


@pytest.mark.kafka
@pytest.mark.timeout(1500)
def test_partitions_of_a_killed_worker_are_waited_for(own_broker: StartableKafka, tmp_path: Path) -> None:
    """A worker freezes, input is written, the worker ends. The group keeps its partitions for a while."""
    settings: dict[str, Any] = {"affinity_bound": BOUND, "session_timeout_s": 15}
    events = list(islice(iter_baskets(), 2_000))
    with Deployment(own_broker.bootstrap, tmp_path, **settings) as deployment:
        workers = [deployment.worker(agents) for agents in ("sessions", "affinity", "affinity")]
        for worker in workers:
            worker.wait_ready()
        _wait_for_partitions(workers[2], 2)
        workers[2].signal(signal.SIGSTOP)
        deployment.produce(USER_BEHAVIOR, [(shopper_id(event).encode(), encode(event)) for event in events])
        _wait_until_consumed(deployment)
        workers[2].kill()
        deployment.wait_until_processed()
        changelog = deployment.read("shelfstream-affinities-changelog")
        assert wrong_affinities(changelog, events, BehaviorParameters(neighbors=BOUND)) == []
        assert [worker.stop() for worker in workers[:2]] == [0, 0]


def _wait_for_partitions(worker: WorkerProcess, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(worker.status()["lanes"]) != count:
        assert time.monotonic() < deadline, worker.status()
        time.sleep(0.1)


def _wait_until_consumed(deployment: Deployment) -> None:
    """Wait until the group has committed every record of the input topics."""
    deadline = time.monotonic() + 120
    while deployment._input_lag() > 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
