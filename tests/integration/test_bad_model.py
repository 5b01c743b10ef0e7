"""A bad model on a real Kafka: it is seen, rolled back on every worker, and its decisions are replayed."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from models.student.artifact import SHIPPED
from models.taxonomy.tree import Taxonomy
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.model_folders import recalibrated, tiny_model
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

PRODUCTS = 120


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(
        own_broker.bootstrap,
        tmp_path,
        agents="enrich",
        cascade=False,
        model_registry=tmp_path / "registry",
    ) as running:
        yield running


def listings() -> list[tuple[bytes, bytes]]:
    titles = (
        "Blue cotton shirt for men",
        "Red ceramic coffee mug",
        "Nike running shoes",
        "Warm woollen socks",
    )
    products = [{"product_id": f"p{n}", "title": f"{titles[n % 4]}, {n}"} for n in range(PRODUCTS)]
    return [(product["product_id"].encode(), orjson.dumps(product)) for product in products]


def served_by(deployment: Deployment) -> dict[str, int]:
    """The number of products by the model that published them last."""
    newest = {
        message.key(): orjson.loads(message.value())["model_version"]
        for message in sorted(deployment.read("product-enriched"), key=lambda each: each.offset())
    }
    return {version: list(newest.values()).count(version) for version in set(newest.values())}


def test_a_bad_model_is_rolled_back_and_its_decisions_are_replayed(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Two workers. The bad model abstains on everything; a third one cannot be loaded at all."""
    deployment.run("models", "add", str(SHIPPED))
    deployment.run("models", "add", str(recalibrated(tmp_path / "cold", 50.0)))
    tiny_model(tmp_path / "broken", 1, Taxonomy.google())
    deployment.run("models", "add", str(tmp_path / "broken"))
    rows = orjson.loads(deployment.run("models", "list", "--json").stdout)["models"]
    good, bad, broken = (row["version"] for row in rows)
    nobody = deployment.run("models", "promote", good, "--force", "--wait", "--timeout", "1", check=False)
    assert nobody.returncode == 1
    assert "no worker is in the consumer group" in nobody.stderr
    workers = [deployment.worker(), deployment.worker()]
    for worker in workers:
        worker.wait_ready()
    deployment.run("models", "promote", bad, "--force", "--wait")
    assert [worker.status()["model_version"] for worker in workers] == [bad, bad]
    deployment.produce("product-created", listings())
    deployment.wait_until_processed()
    assert served_by(deployment) == {bad: PRODUCTS}

    options = ("product-created", "--from", "start")
    diff = deployment.run("replay", "diff", *options, "--candidate", good, "--json")
    figures = orjson.loads(diff.stdout)
    assert (figures["compared"], figures["published_by"]) == (PRODUCTS, {bad: PRODUCTS})
    assert figures["changed"] == PRODUCTS, "the bad model abstains on what the good one publishes"
    promote_broken = ("models", "promote", broken, "--force", "--wait", "--timeout", "1")
    assert deployment.run(*promote_broken, check=False).returncode == 1
    wait_until(lambda: deployment.run("models", "workers").stdout.count(f"{broken} is deployed") == 2)
    failed = deployment.run(*promote_broken, check=False)
    assert failed.returncode == 1
    assert failed.stderr.count(f"serves {bad}: {broken} is deployed, but not in service") >= 2
    deployment.run("models", "rollback", "--wait")
    listed = deployment.run("models", "workers").stdout
    assert listed.count(bad) == 2

    deployment.run("models", "promote", good, "--force", "--wait")
    deployment.run("replay", *options, "--latest-per-key", "--when-model", good)
    wait_until(lambda: served_by(deployment) == {good: PRODUCTS}, 120)
    assert [worker.stop() for worker in workers] == [0, 0]
