"""One product and one shopper of a deployment with two workers: over HTTP from either, and by command."""

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import orjson
import pytest

from tests.support.broker import StartableKafka, free_ports
from tests.support.deployment import Deployment, unowned_lanes
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

TOKEN = "a-token-of-the-tests"
VISIT = datetime.now(UTC) - timedelta(hours=1)
SHOPPERS = [f"shopper {number}" for number in range(12)]


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    settings = {"agents": "sessions,affinity", "read_api_token": TOKEN}
    with Deployment(own_broker.bootstrap, tmp_path, **settings) as running:
        yield running


def basket(shopper: str) -> Iterator[tuple[bytes, bytes]]:
    """Two purchases of products of the shopper's own, as records of user-behavior."""
    for minute, product in enumerate(("cup", "saucer")):
        event = {
            "occurred_at": (VISIT + timedelta(minutes=minute)).isoformat(),
            "product_id": f"{product} of {shopper}",
            "action": "purchase",
            "user_id": shopper,
            "session_id": "visit",
        }
        yield shopper.encode(), orjson.dumps(event)


def read(worker: WorkerProcess, path: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(worker.url(path), headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, orjson.loads(answer.read())
    except HTTPError as error:
        return error.code, orjson.loads(error.read())


def answers_everywhere(workers: list[WorkerProcess], path: str) -> bool:
    return all(read(worker, path)[0] == 200 for worker in workers)


def test_either_worker_and_the_commands_tell_of_each_product_and_shopper(deployment: Deployment) -> None:
    deployment.produce("user-behavior", [each for shopper in SHOPPERS for each in basket(shopper)])
    workers = []
    for port in free_ports(2):
        deployment.environment |= {
            "SHELFSTREAM_HTTP_PORT": str(port),
            "SHELFSTREAM_ADVERTISED_URL": f"http://127.0.0.1:{port}",
        }
        workers.append(deployment.worker())
    for worker in workers:
        worker.wait_ready()
    wait_until(lambda: not unowned_lanes(worker.status() for worker in workers))
    deployment.wait_until_processed()
    for shopper in SHOPPERS:
        product = f"affinity/{quote(f'cup of {shopper}')}"
        for path in (product, f"shopper/{quote(shopper)}"):
            wait_until(lambda path=path: answers_everywhere(workers, path))  # type: ignore[misc]
        first, second = (read(worker, product)[1] for worker in workers)
        assert first == second
        assert [each["product_id"] for each in first["related"]] == [f"saucer of {shopper}"]
    assert read(workers[0], "shopper/nobody")[0] == 404

    printed = deployment.run("affinity", "--of", f"cup of {SHOPPERS[0]}").stdout
    assert f"saucer of {SHOPPERS[0]}  not listed" in printed
    assert "next action" in deployment.run("shopper", SHOPPERS[0]).stdout
    unknown = deployment.run("affinity", "--of", "nothing", check=False)
    assert (unknown.returncode, "no product nothing" in unknown.stderr) == (1, True)
