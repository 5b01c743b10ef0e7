"""Topics of other systems on a real Kafka: Debezium's products, and actions in Avro with a registry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.dead_letters import MESSAGE, REASON
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.schema_registry import RegistryServer, registry_server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

PRODUCTS, SHOPPERS = 12, 4
ACTION = {
    "type": "record",
    "name": "Action",
    "fields": [
        *({"name": name, "type": "long"} for name in ("user_id", "product_id")),
        {"name": "action", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with registry_server() as running:
        yield running


@pytest.fixture
def deployment(own_broker: StartableKafka, registry: RegistryServer, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(
        own_broker.bootstrap,
        tmp_path,
        agents="enrich,sessions",
        cascade=False,
        product_values="debezium",
        behavior_values="confluent",
        schema_registry_url=registry.url,
    ) as running:
        yield running


def change(op: str, number: int) -> tuple[bytes, bytes]:
    """A change of a product's row, with the key and the value that Debezium writes by default."""
    row = {"product_id": number, "title": f"Blue cotton shirt for men, {number}"}
    before, after = (row, None) if op == "d" else (None, row)
    value = {"op": op, "before": before, "after": after, "source": {"ts_ms": 1_714_566_600_000}}
    schema = {"type": "struct", "fields": [{"field": "product_id", "type": "int32"}]}
    return (
        orjson.dumps({"schema": schema, "payload": {"product_id": number}}),
        orjson.dumps({"schema": {"type": "struct", "fields": []}, "payload": value}),
    )


def actions(url: str) -> list[tuple[bytes, bytes]]:
    serialize = AvroSerializer(
        SchemaRegistryClient({"url": url}),
        orjson.dumps(ACTION).decode(),
        conf={"subject.name.strategy.type": "TOPIC"},
    )
    context = SerializationContext("user-behavior", MessageField.VALUE)
    rows = (
        {"user_id": user, "product_id": product, "action": "view", "occurred_at": 1_714_566_600_000 + product}
        for user in range(SHOPPERS)
        for product in range(PRODUCTS)
    )
    return [(str(row["user_id"]).encode(), serialize(row, context)) for row in rows]


def latest(deployment: Deployment, topic: str) -> dict[str, Any]:
    """The last value by key."""
    return {
        message.key().decode(): message.value()
        for message in sorted(deployment.read(topic), key=lambda each: each.offset())
    }


def test_change_events_and_avro_go_in_as_they_come(deployment: Deployment, registry: RegistryServer) -> None:
    """A registry that is down stops only the lanes that need it, and says so."""
    viewed = actions(registry.url)
    registry.status = 503
    worker = deployment.worker()
    worker.wait_ready()
    plain = b"plain", b'{"product_id": "plain", "title": "Mug"}'
    deployment.produce("product-created", [*(change("c", each) for each in range(PRODUCTS)), plain])
    deployment.produce("user-behavior", viewed)
    wait_until(lambda: "the schema registry http" in " ".join(worker.status()["reasons"]))
    registry.status = None
    wait_until(deployment.processed)
    deployment.produce("product-created", [change("d", 0), (change("d", 0)[0], None)])
    wait_until(deployment.processed)

    published = latest(deployment, "product-enriched")
    assert {name for name, value in published.items() if value is not None} == {
        str(each) for each in range(1, PRODUCTS)
    }
    assert published["0"] is None
    assert set(latest(deployment, "shopper-updated")) == {str(each) for each in range(SHOPPERS)}
    (letter,) = deployment.read("dead-letter")
    headers = dict(letter.headers())
    assert (letter.key(), letter.value()) == plain
    assert headers[REASON] == b"not-wrapped"
    assert b"SHELFSTREAM_PRODUCT_VALUES=plain" in headers[MESSAGE]
    listed = deployment.run("dead-letters", "list").stdout
    assert "not-wrapped" in listed
