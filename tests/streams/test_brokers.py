"""The brokers that the other tests use."""

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.embedded import EMBEDDED_PARTITIONS, EmbeddedBroker
from tests.support.broker import Kafka, StartableKafka


def _write(bootstrap: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, value, partition=0)
    assert producer.flush(15) == 0


def _read(bootstrap: str, topic: str) -> bytes | None:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"}
    )
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(15)
        return None if message is None else message.value()
    finally:
        consumer.close()


def test_the_embedded_broker_returns_written_records(embedded: EmbeddedBroker) -> None:
    _write(embedded.bootstrap, "orders", b"one")
    assert _read(embedded.bootstrap, "orders") == b"one"


def test_the_embedded_broker_has_the_stated_number_of_partitions(embedded: EmbeddedBroker) -> None:
    _write(embedded.bootstrap, "orders", b"one")
    topics = AdminClient({"bootstrap.servers": embedded.bootstrap}).list_topics(timeout=60).topics
    assert len(topics["orders"].partitions) == EMBEDDED_PARTITIONS


def test_the_embedded_broker_has_no_address_unless_it_runs() -> None:
    broker = EmbeddedBroker()
    with pytest.raises(RuntimeError, match="does not run"):
        _ = broker.bootstrap
    with broker:
        assert broker.bootstrap
    with pytest.raises(RuntimeError, match="does not run"):
        _ = broker.bootstrap


@pytest.mark.kafka
def test_the_real_broker_creates_no_topic_by_itself(kafka: Kafka, unique: Callable[[str], str]) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.list_topics(unique("unasked"), timeout=60)
    assert unique("unasked") not in admin.list_topics(timeout=60).topics


@pytest.mark.kafka
def test_a_killed_broker_comes_back_on_its_port_with_its_data(own_broker: StartableKafka) -> None:
    admin = AdminClient({"bootstrap.servers": own_broker.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic("orders", 1, 1)])["orders"].result(15)
    _write(own_broker.bootstrap, "orders", b"one")
    own_broker.kill()
    own_broker.start()
    assert _read(own_broker.bootstrap, "orders") == b"one"
