"""Models are promoted and rolled back on a real Kafka under load: nothing is lost or repeated."""

import threading
import time
from collections.abc import Iterator
from itertools import count, groupby
from pathlib import Path

import orjson
import pytest

from models.registry.deployment import on_canary
from models.registry.registry import DEPLOYMENT
from models.student.artifact import SHIPPED
from models.taxonomy.tree import Taxonomy
from tests.support.broker import StartableKafka
from tests.support.deployment import PARTITIONS, Deployment
from tests.support.model_folders import recalibrated, tiny_model
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1800)]

PATIENCE_S = 240.0
BATCH = 50


class Feeder:
    """Writes listings in blocks until the `with` block ends."""

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
    return product["product_id"].encode(), orjson.dumps(product)


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of the agent enrich without the encoder, with a registry of two models."""
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
    rows = orjson.loads(deployment.run("models", "list", "--json").stdout)["models"]
    return [row["version"] for row in rows]


def wait_for_status(worker: WorkerProcess, **fields: object) -> None:
    """Wait until the worker's status has these fields, and until it has processed records after that."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status = worker.status()
        if all(status[name] == value for name, value in fields.items()):
            break
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    done = sum(lane["records"] for lane in status["lanes"])
    while sum(lane["records"] for lane in worker.status()["lanes"]) < done + 4 * BATCH:
        assert time.monotonic() < deadline, worker.status()
        time.sleep(0.1)


def test_promotion_and_rollback_under_load_lose_and_repeat_nothing(deployment: Deployment) -> None:
    """The model versions in each partition change once per command, in the order of the commands."""
    first, second = versions_of(deployment)
    deployment.run("models", "promote", first, "--force")
    worker = deployment.worker()
    worker.wait_ready()
    with Feeder(deployment) as feeder:
        wait_for_status(worker, model_version=first)
        deployment.run("models", "promote", second, "--force")
        wait_for_status(worker, model_version=second)
        deployment.run("models", "rollback")
        wait_for_status(worker, model_version=first)
    deployment.wait_until_processed()
    assert "shelfstream_model_swaps_total 2.0" in worker.get("metrics")
    assert worker.stop() == 0

    messages = deployment.read("product-enriched")
    assert sorted(message.key() for message in messages) == sorted(
        b"p%d" % number for number in range(feeder.written)
    )
    assert len({dict(message.headers())["ce_id"] for message in messages}) == len(messages)
    for partition in range(PARTITIONS):
        versions = sorted(
            (message.offset(), orjson.loads(message.value())["model_version"])
            for message in messages
            if message.partition() == partition
        )
        assert [version for version, _ in groupby(version for _, version in versions)] == [
            first,
            second,
            first,
        ]
    assert deployment.read("dead-letter") == []


def test_a_canary_publishes_for_its_share_and_a_bad_model_never_does(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Two workers. A model that verifies but cannot be loaded causes a warning and changes nothing."""
    first, second = versions_of(deployment)
    deployment.run("models", "promote", first, "--force")
    deployment.run("models", "canary", second, "--share", "0.2")
    deployment.run("models", "shadow", second)
    workers = [deployment.worker(), deployment.worker()]
    bad = tiny_model(tmp_path / "bad", 1, Taxonomy.google())
    with Feeder(deployment) as feeder:
        for worker in workers:
            worker.wait_ready()
            wait_for_status(worker, model_version=first, candidate_version=second, canary_share=0.2)
        deployment.run("models", "add", str(tmp_path / "bad"))
        deployment.run("models", "promote", bad, "--force")
        for worker in workers:
            wait_for_warning(worker, bad)
            wait_for_status(worker, ready=True, model_version=first)
        (tmp_path / "registry" / DEPLOYMENT).write_text("not a deployment")
        for worker in workers:
            wait_for_warning(worker, "cannot be followed")
            wait_for_status(worker, ready=True, model_version=first)
    deployment.wait_until_processed()
    shadow = workers[0].status()["shadow"]
    assert shadow["compared"] > 0
    assert [worker.stop() for worker in workers] == [0, 0]

    messages = deployment.read("product-enriched")
    assert len(messages) == feeder.written
    by_product = {
        message.key().decode(): orjson.loads(message.value())["model_version"] for message in messages
    }
    assert len(by_product) == feeder.written
    canaries = {product for product, version in by_product.items() if version == second}
    assert canaries
    assert {product for product in canaries if not on_canary(product.encode(), 0.2)} == set()
    assert set(by_product.values()) == {first, second}


def wait_for_warning(worker: WorkerProcess, part: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while part not in " ".join(worker.status()["warnings"]):
        assert time.monotonic() < deadline, worker.status()
        time.sleep(0.1)
