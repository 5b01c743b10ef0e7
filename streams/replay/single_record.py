"""Writes one record with a producer of its own, for records that come rarely."""

import socket

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.keys import partition_for
from streams.clients import confluent_options
from streams.permission_check import why_not_listed
from streams.records import Headers
from streams.settings import Settings

_PROBE_S = 1.0
_TIMEOUT_S = 10.0


def write_record(
    settings: Settings, topic: str, key: bytes, value: bytes, headers: Headers = ()
) -> str | None:
    """Write a record to the partition of its key. Blocks for some seconds at most.

    Args:
        settings: Settings with the broker's address.
        topic: Topic of the deployment.
        key: Key.
        value: Value.
        headers: Names and values.

    Returns:
        Why the record is not in the topic, as a sentence; None if it is.
    """
    if not _answers(settings.bootstrap_servers):
        return f"Kafka at {settings.bootstrap_servers} does not answer"
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(error)

    try:
        producer = Producer(
            confluent_options(settings)
            | {"acks": "all", "enable.idempotence": True, "message.timeout.ms": int(_TIMEOUT_S * 1000)}
        )
        topics = producer.list_topics(timeout=_TIMEOUT_S).topics
        if topic not in topics and not settings.embedded:
            return why_not_listed(settings, topic)
        partitions = len(topics[topic].partitions) if topic in topics else settings.partitions
        partition = partition_for(key, partitions)
        producer.produce(topic, value, key, partition, delivered, headers=list(headers))
        undelivered = producer.flush(_TIMEOUT_S + 1)
    except KafkaException as error:
        return f"Kafka at {settings.bootstrap_servers}: {error.args[0].str()}"
    if failures or undelivered:
        reason = failures[0].str() if failures else "no answer"
        return f"Kafka at {settings.bootstrap_servers} did not take it: {reason}"
    return None


def _answers(bootstrap_servers: str) -> bool:
    """Return whether a broker takes connections: a client of Kafka would wait for it much longer."""
    for address in bootstrap_servers.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), _PROBE_S).close()
        except (OSError, ValueError):
            continue
        return True
    return False
