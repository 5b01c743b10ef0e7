"""The audit topic: entries of what operators did, written after the deed and read by `shelfstream audit`."""

import socket
from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.audit import AuditEntry
from schemas.codec import decode_audit_entry, encode
from schemas.envelope import output_headers
from schemas.errors import InvalidEvent, StopWorker
from schemas.keys import partition_for
from streams.acls import Acl, Operation, Resource
from streams.clients import confluent_options
from streams.permission_check import missing_on_topics, not_permitted
from streams.replay.positions import Position
from streams.replay.ranges import resolve_ranges
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.settings import Settings
from streams.topics import AUDIT

_PROBE_S = 1.0
_TIMEOUT_S = 10.0


def write_entry(settings: Settings, entry: AuditEntry) -> str | None:
    """Append an entry to the audit topic.

    Nothing is raised: what the entry describes has happened already.

    Args:
        settings: Settings with the broker's address.
        entry: The entry.

    Returns:
        Why the entry is not in the topic, as a sentence; None if it is.
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
        if AUDIT not in topics and not settings.embedded:
            return _why_not_listed(settings)
        partitions = len(topics[AUDIT].partitions) if AUDIT in topics else settings.partitions
        key = entry.action.value.encode()
        headers = output_headers(
            AUDIT, event_id=entry.event_id, source="/shelfstream/commands", subject=entry.action.value
        )
        partition = partition_for(key, partitions)
        producer.produce(AUDIT, encode(entry), key, partition, delivered, headers=list(headers))
        undelivered = producer.flush(_TIMEOUT_S + 1)
    except KafkaException as error:
        return f"Kafka at {settings.bootstrap_servers}: {error.args[0].str()}"
    if failures or undelivered:
        reason = failures[0].str() if failures else "no answer"
        return f"Kafka at {settings.bootstrap_servers} did not take it: {reason}"
    return None


def read_entries(settings: Settings, begin: Position, until: Position) -> Iterator[AuditEntry]:
    """Yield the entries between two positions of the audit topic, by partition in offset order.

    A record that is no entry is skipped: a newer version of shelfstream may write others.

    Raises:
        StopWorker: There is no audit topic.
        RetryLater: The broker is unreachable.
    """
    consumer = open_consumer(settings, f"{settings.app_id}-audit")
    try:
        if AUDIT not in consumer.list_topics(timeout=_TIMEOUT_S).topics:
            raise StopWorker(_why_not_listed(settings))
        ranges = resolve_ranges(consumer, settings, AUDIT, begin, until)
        for records in read_ranges(consumer, settings, AUDIT, ranges):
            for record in records:
                try:
                    yield decode_audit_entry(record.value)
                except InvalidEvent:
                    continue
    finally:
        consumer.close()


def _why_not_listed(settings: Settings) -> str:
    """Return why the broker does not list the topic."""
    if missing := missing_on_topics(settings, [Acl(Resource.TOPIC, AUDIT, Operation.DESCRIBE)]):
        return not_permitted(settings, missing)
    return f"there is no topic {AUDIT}: create it with `shelfstream topics create`"


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
