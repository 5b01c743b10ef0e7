"""Writing and reading whole topics, for tests that look at what is there."""

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
    """Create topics and wait until they are there. Configuration names have `_` for `.`."""
    dotted = {name.replace("_", "."): value for name, value in config.items()}
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 2})
    new = [NewTopic(name, partitions, 1, config=dotted) for name in names]
    for created in admin.create_topics(new, operation_timeout=60).values():
        created.result(90)


def write(settings: Settings, outputs: Iterable[Output], transaction: str | None = None) -> None:
    """Write records as they are. `transaction` "abort" writes them in one that is aborted."""
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


def read_all(settings: Settings, topic: str, settled: bool = True) -> Sequence[MemoryRecord]:
    """All committed records of a topic, by partition and offset.

    A commit is answered before its end is written into the partitions: unless `settled` is false, wait until
    no transaction is open.
    """
    consumer = open_consumer(settings, "test-reader")
    try:
        if settled and not settings.embedded:
            _wait_until_settled(settings, consumer, topic)
        ranges = resolve_ranges(consumer, settings, topic, START, END)
        batches = read_ranges(consumer, settings, topic, ranges)
        return sorted(
            (record for batch in batches for record in batch),
            key=lambda record: (record.partition, record.offset),
        )
    finally:
        consumer.close()


def _wait_until_settled(settings: Settings, committed: Consumer, topic: str) -> None:
    options = {"bootstrap.servers": settings.bootstrap_servers, "group.id": "test-ends"}
    uncommitted = Consumer(options | {"isolation.level": "read_uncommitted"})
    try:
        deadline = time.monotonic() + 120
        for partition in uncommitted.list_topics(topic, timeout=60).topics[topic].partitions:
            place = TopicPartition(topic, partition)
            while committed.get_watermark_offsets(place) != uncommitted.get_watermark_offsets(place):
                assert time.monotonic() < deadline, f"a transaction stays open in {topic}-{partition}"
                time.sleep(0.05)
    finally:
        uncommitted.close()
