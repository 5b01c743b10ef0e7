"""`shelfstream doctor` on a real Kafka: nothing to do where all is well, and what to do where it is not."""

import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.integration.test_lost_inputs import behavior
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


def findings(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.stdout, done.stderr
    return list(orjson.loads(done.stdout))


def break_topics(bootstrap: str) -> None:
    """Delete a topic, and create another one with too few partitions."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for future in admin.delete_topics(["enrichment-review", "product-repartition"]).values():
        future.result(60)
    small = NewTopic("product-repartition", 2, 1, config={"cleanup.policy": "delete"})
    for future in admin.create_topics([small]).values():
        future.result(60)


def leave_transaction_open(bootstrap: str) -> Producer:
    """Begin a transaction whose first record is an hour old."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": "forgotten", "transaction.timeout.ms": 900_000}
    )
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("co-behavior", b"?", partition=0, timestamp=int((time.time() - 3600) * 1000))
    producer.flush(60)
    return producer


def test_a_healthy_and_a_broken_deployment(own_broker: StartableKafka, tmp_path: Path) -> None:
    with Deployment(own_broker.bootstrap, tmp_path, agents="sessions,affinity") as deployment:
        worker = deployment.worker()
        worker.wait_ready()
        deployment.produce("user-behavior", behavior("a", 20))
        deployment.wait_until_processed()
        healthy = deployment.run("doctor", "--seconds", "1", "--url", worker.url(""), check=False)
        assert healthy.returncode == 0, healthy.stdout
        assert worker.stop() == 0

        deployment.produce("user-behavior", behavior("b", 100))
        break_topics(own_broker.bootstrap)
        open_transaction = leave_transaction_open(own_broker.bootstrap)
        broken = deployment.run("doctor", "--seconds", "1", "--json", "--quiet", check=False)
        open_transaction.abort_transaction(60)
        assert broken.returncode == 2
        found = {(each["check"], each["where"]): each for each in findings(broken)}
        assert {"bad"} == {each["severity"] for each in found.values() if each["check"] != "topics"}
        assert found["topics", "enrichment-review"]["what"] == "existence should be there, is missing"
        assert "partitions should be 4, is 2" in [
            each["what"] for each in findings(broken) if each["where"] == "product-repartition"
        ]
        assert found["group", "shelfstream"]["what"].startswith("no worker is in the group")
        assert found["lag", "user-behavior"]["what"].startswith("100 behind")
        assert "--topic co-behavior --partition 0" in found["transactions", "co-behavior-0"]["remedy"]
