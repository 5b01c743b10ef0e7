"""Kafka goes away under a worker: it says so while it is idle, waits, and goes on by itself."""

from pathlib import Path

import orjson
import pytest

from tests.integration.test_lost_inputs import behavior, reasons, shoppers
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]


def kafka_is_away(worker: WorkerProcess) -> bool:
    """Whether `/ready` blames Kafka: by what the probe saw, or by what a new connection met."""
    return any(
        reason.startswith("Kafka is unreachable") or "cannot be reached" in reason
        for reason in reasons(worker)
    )


def gauge(worker: WorkerProcess, name: str) -> float:
    (line,) = (each for each in worker.get("metrics").splitlines() if each.startswith(f"shelfstream_{name} "))
    return float(line.split()[1])


def test_a_worker_waits_for_kafka_at_its_start_and_in_an_outage(
    own_broker: StartableKafka, tmp_path: Path
) -> None:
    """It stays alive and needs no restart. Missing topics end it at its start."""
    untouched = Deployment(own_broker.bootstrap, tmp_path)
    refused = untouched.worker("sessions")
    assert refused.process.wait(240) != 0
    assert "shelfstream topics create" in refused.log.read_text()
    refused.log.unlink()
    with Deployment(own_broker.bootstrap, tmp_path) as deployment:
        own_broker.stop()
        worker = deployment.worker("sessions")
        wait_until(lambda: kafka_is_away(worker))
        own_broker.start()
        worker.wait_ready()
        deployment.produce("user-behavior", behavior("before", 40))
        deployment.wait_until_processed()

        own_broker.kill()
        wait_until(lambda: kafka_is_away(worker))
        assert orjson.loads(worker.get("live"))["live"]
        wait_until(lambda: (gauge(worker, "ready"), gauge(worker, "kafka_reachable")) == (0, 0))
        own_broker.start()
        worker.wait_ready()
        deployment.produce("user-behavior", behavior("after", 40))
        wait_until(lambda: shoppers(deployment, "after") == 40)
        assert worker.stop() == 0
    log = worker.log.read_text()
    assert log.count("Kafka is unreachable, the worker waits") == log.count("Kafka answers again")
    assert "restarting" not in log
    assert len(log.splitlines()) < 300
