"""Real workers share a group: with a member of an earlier version, with each other, with added partitions."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.support.broker import StartableKafka
from tests.support.deployment import PARTITIONS, Deployment
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1500)]


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(own_broker.bootstrap, tmp_path) as running:
        yield running


def lanes(worker: WorkerProcess) -> set[int]:
    return {lane["partition"] for lane in worker.status()["lanes"] if lane["state"] == "running"}


def openings(worker: WorkerProcess) -> int:
    """How often a lane of the worker came to run, by its log."""
    return worker.log.read_text().count('"event":"lane runs"')


def old_member(deployment: Deployment) -> Consumer:
    """A member that knows the range assignor only, as workers of earlier versions.

    It reads both inputs of the lanes: workers without shopper-repartition are replaced before there is the
    topic.
    """
    member = Consumer(
        {
            "bootstrap.servers": deployment.bootstrap,
            "group.id": "shelfstream",
            "partition.assignment.strategy": "range",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    member.subscribe(["shopper-repartition", "user-behavior"])
    return member


def has(old: Consumer, partitions: int) -> bool:
    """Whether a member has so many partitions of each topic. It takes part in rebalances while it polls."""
    old.poll(0.1)
    return len(old.assignment()) == 2 * partitions


def ready(worker: WorkerProcess) -> bool:
    try:
        return bool(worker.status()["ready"])
    except OSError:
        return False


def warns(worker: WorkerProcess) -> bool:
    return any("user-behavior has 6 partitions" in warning for warning in worker.status()["warnings"])


def test_workers_join_an_old_group_and_then_keep_what_they_have(deployment: Deployment) -> None:
    old = old_member(deployment)
    wait_until(lambda: has(old, PARTITIONS))
    first = deployment.worker("sessions")
    wait_until(lambda: has(old, PARTITIONS // 2) and ready(first) and len(lanes(first)) == PARTITIONS // 2)
    old.close()
    wait_until(lambda: len(lanes(first)) == PARTITIONS)
    opened = openings(first)
    second = deployment.worker("sessions")
    second.wait_ready()
    wait_until(lambda: lanes(first) | lanes(second) == set(range(PARTITIONS)))
    assert len(lanes(first)) == len(lanes(second)) == PARTITIONS // 2
    assert openings(first) == opened
    events = (
        {"user_id": f"u{n}", "product_id": "p", "action": "purchase", "occurred_at": "2026-11-01T00:00:00Z"}
        for n in range(100)
    )
    deployment.produce("user-behavior", ((each["user_id"].encode(), orjson.dumps(each)) for each in events))
    deployment.wait_until_processed()
    assert len({message.key() for message in deployment.read("shopper-updated")}) == 100
    admin = AdminClient({"bootstrap.servers": deployment.bootstrap})
    admin.create_partitions([NewPartitions("user-behavior", PARTITIONS + 2)])["user-behavior"].result(60)
    wait_until(lambda: all(map(warns, (first, second))))
    assert "user-behavior has 6 partitions" in first.log.read_text()
    assert lanes(first) | lanes(second) == set(range(PARTITIONS))
