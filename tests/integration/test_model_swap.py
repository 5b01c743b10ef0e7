"""Models are promoted and rolled back on a real Kafka while listings flow: nothing is lost, nothing twice."""

import json
import threading
import time
from collections.abc import Iterator
from itertools import count, groupby
from pathlib import Path
from typing import Any

import pytest

from models.registry.deployment import on_canary
from models.registry.registry import DEPLOYMENT
from models.student.artifact import SHIPPED
from models.taxonomy.tree import Taxonomy
from tests.support.broker import StartableKafka
from tests.support.deployment import PARTITIONS, Deployment
from tests.support.model_folders import recalibrated, tiny_model
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(420)]

PATIENCE_S = 90.0
BATCH = 50


class Feeder:
    """Writes listings in blocks until it is told to stop."""

    def __init__(self, deployment: Deployment) -> None:
        self.written = 0
        self._deployment = deployment
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._feed)

    def __enter__(self) -> "Feeder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _feed(self) -> None:
        for block in count():
            numbers = range(block * BATCH, (block + 1) * BATCH)
            self.written += self._deployment.produce(
                "product-created", [listing(number) for number in numbers]
            )
            if self._enough.wait(0.05):
                return


def listing(number: int) -> tuple[bytes, bytes]:
    product = {"product_id": f"p{number}", "title": f"Blue cotton shirt for men, size {number}"}
    return product["product_id"].encode(), json.dumps(product).encode()


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    """Workers that enrich by the student alone, from a registry of two models."""
    registry = tmp_path / "registry"
    with Deployment(
        own_broker.bootstrap,
        tmp_path,
        agents="enrich",
        cascade=False,
        batch_max_records=BATCH,
        model_registry=registry,
    ) as running:
        for folder in (SHIPPED, recalibrated(tmp_path / "other")):
            running.run("models", "add", str(folder))
        yield running


def versions_of(deployment: Deployment) -> list[str]:
    rows = json.loads(deployment.run("models", "list", "--json").stdout)["models"]
    return [row["version"] for row in rows]


def told(worker: WorkerProcess) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(worker.get("status.json"))
    return status


def wait_for(worker: WorkerProcess, **facts: object) -> None:
    """Wait until the worker's status says so, and it has worked on since."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status = told(worker)
        if all(status[name] == fact for name, fact in facts.items()):
            break
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    done = sum(lane["records"] for lane in status["lanes"])
    while sum(lane["records"] for lane in told(worker)["lanes"]) < done + 4 * BATCH:
        assert time.monotonic() < deadline, told(worker)
        time.sleep(0.1)


def test_promotions_and_rollbacks_under_load_lose_and_repeat_nothing(deployment: Deployment) -> None:
    """Each partition's records are of one model after the other, in the order of the commands."""
    first, second = versions_of(deployment)
    deployment.run("models", "promote", first)
    worker = deployment.worker()
    worker.wait_ready()
    with Feeder(deployment) as feeder:
        wait_for(worker, model_version=first)
        deployment.run("models", "promote", second)
        wait_for(worker, model_version=second)
        deployment.run("models", "rollback")
        wait_for(worker, model_version=first)
    deployment.wait_until_processed()
    assert "shelfstream_model_swaps_total 2.0" in worker.get("metrics")
    assert worker.stop() == 0

    messages = deployment.read("product-enriched")
    assert sorted(message.key() for message in messages) == sorted(
        b"p%d" % number for number in range(feeder.written)
    )
    assert len({dict(message.headers())["ce_id"] for message in messages}) == len(messages)
    for partition in range(PARTITIONS):
        mine = sorted(
            (message.offset(), json.loads(message.value())["model_version"])
            for message in messages
            if message.partition() == partition
        )
        assert [version for version, _ in groupby(version for _, version in mine)] == [first, second, first]
    assert deployment.read("dead-letter") == []


def test_a_canary_publishes_for_its_share_and_a_bad_model_never_does(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Two workers; a model that verifies but cannot run is told, and changes nothing."""
    first, second = versions_of(deployment)
    deployment.run("models", "promote", first)
    deployment.run("models", "canary", second, "--share", "0.2")
    deployment.run("models", "shadow", second)
    workers = [deployment.worker(), deployment.worker()]
    bad = tiny_model(tmp_path / "bad", 1, Taxonomy.google())
    with Feeder(deployment) as feeder:
        for worker in workers:
            worker.wait_ready()
            wait_for(worker, model_version=first, candidate_version=second, canary_share=0.2)
        deployment.run("models", "add", str(tmp_path / "bad"))
        deployment.run("models", "promote", bad)
        for worker in workers:
            wait_for_trouble(worker, bad)
            wait_for(worker, ready=True, model_version=first)
        (tmp_path / "registry" / DEPLOYMENT).write_text("not a deployment")
        for worker in workers:
            wait_for_trouble(worker, "cannot be followed")
            wait_for(worker, ready=True, model_version=first)
    deployment.wait_until_processed()
    shadow = told(workers[0])["shadow"]
    assert shadow["compared"] > 0
    assert [worker.stop() for worker in workers] == [0, 0]

    messages = deployment.read("product-enriched")
    assert len(messages) == feeder.written
    by_product = {
        message.key().decode(): json.loads(message.value())["model_version"] for message in messages
    }
    assert len(by_product) == feeder.written
    tried = {product for product, version in by_product.items() if version == second}
    assert tried
    assert {product for product in tried if not on_canary(product.encode(), 0.2)} == set()
    assert set(by_product.values()) == {first, second}


def wait_for_trouble(worker: WorkerProcess, part: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while part not in " ".join(told(worker)["warnings"]):
        assert time.monotonic() < deadline, told(worker)
        time.sleep(0.1)
