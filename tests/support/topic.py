"""Creates, writes and reads whole topics."""

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.records import MemoryRecord, Output
from streams.replay.positions import END, START
from streams.replay.ranges import resolve_ranges
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.settings import Settings


def create_topic(settings: Settings, *names: str, partitions: int = 4, **config: str) -> None:
    """Create topics and wait until they exist.

    Args:
        settings: The settings of the broker.
        names: The topics.
        partitions: The number of partitions of each.
        config: The topics' configuration. A name has `_` for `.`.
    """
    dotted = {name.replace("_", "."): value for name, value in config.items()}
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 2})
    new = [NewTopic(name, partitions, 1, config=dotted) for name in names]
    for created in admin.create_topics(new, operation_timeout=60).values():
        created.result(90)


def write(settings: Settings, outputs: Iterable[Output], transaction: str | None = None) -> None:
    """Write records.

    Args:
        settings: The settings of the broker.
        outputs: The records.
        transaction: If "abort", the records are written in a transaction that is aborted.
    """
    options = {"bootstrap.servers": settings.bootstrap_servers, "message.max.bytes": 16 * 1024 * 1024}
    if transaction:
        options["transactional.id"] = "test-writer"
    producer = Producer(options)
    if transaction:
        producer.init_transactions(60)
        producer.begin_transaction()
    for each in outputs:
        stamp = {} if each.timestamp is None else {"timestamp": each.timestamp}
        producer.produce(
            each.topic, each.value, each.key, partition=each.partition, headers=list(each.headers), **stamp
        )
    assert producer.flush(60) == 0
    if transaction == "abort":
        producer.abort_transaction(60)


def read_all(settings: Settings, topic: str, wait: bool = True) -> Sequence[MemoryRecord]:
    """Read all committed records of a topic, sorted by partition and offset.

    The broker confirms a commit before it writes the transaction's end into the partitions.

    Args:
        settings: The settings of the broker.
        topic: The topic.
        wait: Whether to wait until no transaction is open.
    """
    consumer = open_consumer(settings, "test-reader")
    try:
        if wait and not settings.embedded:
            _wait_for_open_transactions(settings, consumer, topic)
        ranges = resolve_ranges(consumer, settings, topic, START, END)
        batches = read_ranges(consumer, settings, topic, ranges)
        return sorted(
            (record for batch in batches for record in batch),
            key=lambda record: (record.partition, record.offset),
        )
    finally:
        consumer.close()


def _wait_for_open_transactions(settings: Settings, committed: Consumer, topic: str) -> None:
    options = {"bootstrap.servers": settings.bootstrap_servers, "group.id": "test-ends"}
    uncommitted = Consumer(options | {"isolation.level": "read_uncommitted"})
    try:
        deadline = time.monotonic() + 120
        for partition in uncommitted.list_topics(topic, timeout=60).topics[topic].partitions:
            at = TopicPartition(topic, partition)
            while committed.get_watermark_offsets(at) != uncommitted.get_watermark_offsets(at):
                assert time.monotonic() < deadline, f"a transaction stays open in {topic}-{partition}"
                time.sleep(0.05)
    finally:
        uncommitted.close()
