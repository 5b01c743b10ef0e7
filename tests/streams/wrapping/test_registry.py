"""Confluent's wire format: written by Confluent's own serializers, read through a registry."""

import builtins
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from schemas.errors import InvalidEvent, RetryLater, StopWorker
from streams.settings import Settings
from streams.wrapping.registry import SchemaRegistry
from tests.support.schema_registry import REAL, RegistryServer, registry_server

TOPIC = {"subject.name.strategy.type": "TOPIC"}
PRODUCT = {
    "type": "record",
    "name": "Product",
    "namespace": "shop",
    "fields": [
        {"name": "product_id", "type": "long"},
        {"name": "title", "type": "string"},
        {
            "name": "price",
            "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}],
        },
        {"name": "seen_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "occurred_at", "type": {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}},
    ],
}
AT = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
ROW = {
    "product_id": 1,
    "title": "Tee",
    "price": Decimal("19.99"),
    "seen_at": AT,
    "occurred_at": 1714566600000000,
}


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with registry_server() as running:
        yield running


def settings(url: str, **more: Any) -> Settings:
    return Settings(product_values="confluent", schema_registry_url=url, **more)


def avro(url: str, schema: Any, value: Any) -> bytes:
    """Serialize a value as Confluent's producers do."""
    serialize = AvroSerializer(SchemaRegistryClient({"url": url}), orjson.dumps(schema).decode(), conf=TOPIC)
    framed: bytes = serialize(value, SerializationContext("product-created", MessageField.VALUE))
    return framed


def protobuf(url: str) -> bytes:
    """Serialize a message of the second type of a file."""
    file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop", syntax="proto3")
    file.message_type.add(name="Other")
    product = file.message_type.add(name="Product")
    for number, (name, kind) in enumerate((("product_id", 3), ("title", 9), ("stock", 5)), 1):
        product.field.add(name=name, number=number, type=kind, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Product"))
    conf = TOPIC | {"use.deprecated.format": False}
    serialize = ProtobufSerializer(kind, SchemaRegistryClient({"url": url}), conf)
    message = kind(product_id=2**40, title="Mug", stock=3)
    framed: bytes = serialize(message, SerializationContext("protobuf", MessageField.VALUE))
    return framed


def test_each_kind_of_schema_is_read(server: RegistryServer) -> None:
    url = REAL or server.url
    registry = SchemaRegistry(settings(url))
    text = {"price": "19.99", "seen_at": "2024-05-01T12:30:00Z", "occurred_at": "2024-05-01T12:30:00Z"}
    assert registry.decode(avro(url, PRODUCT, ROW), False, ()) == ROW | text
    assert registry.decode(protobuf(url), False, ()) == {"product_id": 2**40, "title": "Mug", "stock": 3}
    schema = Schema('{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}', "JSON")
    number = SchemaRegistryClient({"url": url}).register_schema("json-value", schema)
    framed = b"\x00" + number.to_bytes(4, "big") + b'{"title": "Tee"}'
    assert registry.decode(framed, False, ()) == {"title": "Tee"}


def test_a_change_event_in_avro_is_read_with_the_types_of_its_rows(server: RegistryServer) -> None:
    """The row after the change refers to the type of the row before it."""
    row = PRODUCT | {"name": "Value"}
    fields = [{"name": "before", "type": ["null", row]}, {"name": "after", "type": ["null", "shop.Value"]}]
    change = {"type": "record", "name": "Envelope", "namespace": "shop", "fields": fields}
    framed = avro(server.url, change, {"before": None, "after": ROW})
    document = SchemaRegistry(settings(server.url)).decode(framed, False, ())
    assert document["after"]["occurred_at"] == "2024-05-01T12:30:00Z"


def test_a_schema_is_fetched_once(server: RegistryServer) -> None:
    registry = SchemaRegistry(settings(server.url))
    framed = avro(server.url, PRODUCT, ROW)
    before = len(server.requests)
    for _ in range(3):
        registry.decode(framed, False, ())
    assert len(server.requests) - before == 1


def test_an_unknown_schema_is_asked_for_once_a_minute(server: RegistryServer) -> None:
    now = 0.0
    registry = SchemaRegistry(settings(server.url), lambda: now)
    for _ in range(3):
        with pytest.raises(
            InvalidEvent, match=r"unknown-schema: the schema registry http://127.* no schema 9;"
        ):
            registry.decode(b"\x00\x00\x00\x00\x09x", False, ())
    assert len(server.requests) == 1
    now = 61.0
    with pytest.raises(InvalidEvent):
        registry.decode(b"\x00\x00\x00\x00\x09x", False, ())
    assert len(server.requests) == 2


def test_a_value_that_does_not_fit_its_schema_is_invalid(server: RegistryServer) -> None:
    framed = avro(server.url, PRODUCT, ROW)
    registry = SchemaRegistry(settings(server.url))
    for cut in range(6, len(framed)):
        with pytest.raises(InvalidEvent, match="undecodable: the value does not fit its AVRO schema 1"):
            registry.decode(framed[:cut], False, ())


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_in_trouble_is_waited_for(server: RegistryServer, status: int) -> None:
    framed = avro(server.url, PRODUCT, ROW)
    registry = SchemaRegistry(settings(server.url))
    server.status = status
    with pytest.raises(RetryLater, match=f"answers with HTTP {status}"):
        registry.decode(framed, False, ())
    server.status = None
    assert registry.decode(framed, False, ())["title"] == "Tee"


def test_a_registry_that_does_not_answer_is_waited_for(server: RegistryServer) -> None:
    framed = avro(server.url, PRODUCT, ROW)
    registry = SchemaRegistry(settings(server.url.replace("http://", "http://user:secret@")))
    server.close()
    with pytest.raises(RetryLater, match=r"does not answer .* SHELFSTREAM_SCHEMA_REGISTRY_URL") as caught:
        registry.decode(framed, False, ())
    assert "secret" not in str(caught.value)


def test_a_new_password_is_read_when_the_old_one_is_refused(server: RegistryServer, tmp_path: Path) -> None:
    framed = avro(server.url, PRODUCT, ROW)
    file = tmp_path / "password"
    file.write_text("old\n")
    server.user_info = "shop:new"
    user = {"schema_registry_username": "shop", "schema_registry_password_file": file}
    registry = SchemaRegistry(settings(server.url, **user))
    with pytest.raises(RetryLater, match="refuses the credentials"):
        registry.decode(framed, False, ())
    file.write_text("new\n")
    with pytest.raises(RetryLater):
        registry.decode(framed, False, ())
    assert registry.decode(framed, False, ())["title"] == "Tee"


def test_a_missing_client_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("confluent_kafka.schema_registry"):
            raise ImportError("No module named 'httpx'")
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(StopWorker, match=r"pip install 'shelfstream\[registry\]'"):
        SchemaRegistry(settings("http://localhost:1"))
