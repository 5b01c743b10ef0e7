"""A real worker whose model process is killed at work, or hangs: every listing is still enriched once."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1500)]

LISTINGS = 2_000


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(own_broker.bootstrap, tmp_path, batch_max_records=200, cascade=False) as running:
        yield running


def model_of(worker: WorkerProcess) -> int | None:
    """The id of the worker's child process. None while there is none."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == worker.process.pid and state != "Z":
            return int(status.parent.name)
    return None


def ended(pid: int) -> bool:
    """Whether a process has ended. A zombie process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def count(worker: WorkerProcess, metric: str) -> float:
    lines = worker.get("metrics").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"shelfstream_{metric}_total "))


def unready_reasons(worker: WorkerProcess) -> list[str]:
    return list(worker.status()["reasons"])


def test_every_listing_is_enriched_once_although_its_model_is_killed(
    deployment: Deployment,
) -> None:
    worker = deployment.worker("enrich")
    worker.wait_ready()
    killed: set[int] = set()
    for start in range(0, LISTINGS, LISTINGS // 4):
        deployment.produce(
            "product-created",
            (
                (
                    b"p%d" % number,
                    orjson.dumps({"product_id": f"p{number}", "title": f"Blue mug {number}"}),
                )
                for number in range(start, start + LISTINGS // 4)
            ),
        )
        model = model_of(worker)
        if model is not None and model not in killed:
            os.kill(model, signal.SIGKILL)
            killed.add(model)
    deployment.wait_until_processed()
    enriched = deployment.read("product-enriched")
    assert sorted(message.key() for message in enriched) == sorted(b"p%d" % n for n in range(LISTINGS))
    assert deployment.read("dead-letter") == []
    assert killed
    wait_until(lambda: count(worker, "model_restarts") == len(killed))
    hung = model_of(worker)
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    deployment.produce(
        "product-created", [(b"late", orjson.dumps({"product_id": "late", "title": "Red mug"}))]
    )
    wait_until(lambda: any("has not answered for" in reason for reason in unready_reasons(worker)))
    wait_until(lambda: count(worker, "model_hangs") == 1)
    deployment.wait_until_processed()
    assert unready_reasons(worker) == []
    assert [message.key() for message in deployment.read("product-enriched")].count(b"late") == 1
    last = model_of(worker)
    assert last is not None
    assert worker.stop() == 0
    wait_until(lambda: ended(last))
