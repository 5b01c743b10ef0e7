"""Reading ranges of a topic, for replay, redrive and others that copy records."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.errors import RetryLater
from streams.acls import Acl, Operation, Resource
from streams.clients import confluent_options
from streams.records import MemoryRecord
from streams.replay.broker_admin import BrokerAdmin, translated_kafka_error
from streams.replay.ranges import OffsetRange
from streams.replay.transactional_sender import own_group
from streams.settings import Settings

BATCH_RECORDS = 1000
BATCH_BYTES = 8 * 1024 * 1024
_IDLE_TIMEOUT_S = 30.0


def open_consumer(settings: Settings, group: str) -> Consumer:
    """Create a consumer that reads committed records only and commits nothing by itself. Close it after use.

    Args:
        settings: Settings with the broker's address and credentials.
        group: Consumer group.

    Raises:
        RetryLater: The broker is unreachable.
        StopWorker: The broker rejects the credentials.
    """
    BrokerAdmin(settings).topics()  # a consumer does not report a rejected authentication
    return Consumer(
        confluent_options(settings)
        | {
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 16 * 1024,
            # A waiting fetch delays all other requests to the same broker.
            "fetch.wait.max.ms": 50,
        }
    )


def read_ranges(
    consumer: Consumer,
    settings: Settings,
    topic: str,
    ranges: Iterable[OffsetRange],
    batch_records: int = BATCH_RECORDS,
) -> Iterator[list[MemoryRecord]]:
    """Read the records of ranges in batches, those of one partition in offset order.

    Args:
        consumer: Consumer of `open_consumer`. It must have no other assignment.
        settings: Settings with the broker's address, for error messages.
        topic: Topic to read.
        ranges: Offsets to read.
        batch_records: Most records per batch. A batch also ends at `BATCH_BYTES`.

    Yields:
        Batches of at least one record.

    Raises:
        RetryLater: The broker sent nothing for 30 seconds.
        StopWorker: The broker rejects a request.
    """
    ends = {each.partition: each.end for each in ranges if each.offsets}
    if not ends:
        return
    starts = {each.partition: each.start for each in ranges}
    consumer.assign([TopicPartition(topic, partition, starts[partition]) for partition in ends])
    open_partitions = set(ends)
    batch: list[MemoryRecord] = []
    size = 0
    for messages in _poll(consumer, batch_records, settings):
        for message in messages:
            if _ends_range(message, ends, settings):
                open_partitions.discard(message.partition())
            elif message.error() is None and message.offset() >= starts[message.partition()]:
                batch.append(to_record(message))
                size += len(message)
                if message.offset() + 1 >= ends[message.partition()]:
                    open_partitions.discard(message.partition())
            if len(batch) >= batch_records or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch
            batch, size = [], 0
        if not open_partitions:
            break
    consumer.unassign()


def _poll(consumer: Consumer, most: int, settings: Settings) -> Iterator[list[Message]]:
    """Yield lists of at most `most` messages, some of them empty, until nothing comes for too long."""
    idle_s = 0.0
    while idle_s <= _IDLE_TIMEOUT_S:
        polled_at = time.monotonic()
        messages = consumer.consume(most, timeout=0.2)
        idle_s = 0.0 if messages else idle_s + time.monotonic() - polled_at
        yield messages
    raise RetryLater(f"Kafka at {settings.bootstrap_servers} sent nothing for {_IDLE_TIMEOUT_S:.0f} s")


def _ends_range(message: Message, ends: Mapping[int, int], settings: Settings) -> bool:
    """Return whether a message shows the end of its partition's range: past it or at the log's end."""
    error = message.error()
    if error is None:
        return bool(message.offset() >= ends[message.partition()])
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    if error.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
        return False  # librdkafka reconnects; the idle timeout limits how long
    needed = [Acl(Resource.TOPIC, message.topic() or "", Operation.READ), own_group(settings)]
    raise translated_kafka_error(KafkaException(error), settings, needed)


def to_record(message: Message) -> MemoryRecord:
    """Convert a message to a record. Without a timestamp it gets -1."""
    return MemoryRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )


def next_offsets(records: Sequence[MemoryRecord]) -> dict[int, int]:
    """Return the offset after the last of the records, by partition."""
    return {record.partition: record.offset + 1 for record in records}
