"""Transactional topic copy, for replay and redrive: read ranges of a topic, write in transactions."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.errors import RetryLater, ShelfstreamError, StopWorker
from streams.acls import Acl, Operation, Pattern, Resource
from streams.clients import confluent_options
from streams.permission_check import missing_on_topics
from streams.records import MemoryRecord, Output
from streams.replay.broker_admin import BrokerAdmin, translated_kafka_error
from streams.replay.ranges import OffsetRange
from streams.settings import Settings

BATCH_RECORDS = 1000
BATCH_BYTES = 8 * 1024 * 1024
_MAX_RECORD_BYTES = 16 * 1024 * 1024
_IDLE_TIMEOUT_S = 30.0
_ATTEMPTS = 3


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


def own_group(settings: Settings) -> Acl:
    """Return the permission to use the groups of commands."""
    return Acl(Resource.GROUP, f"{settings.app_id}-", Operation.READ, Pattern.PREFIXED)


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


class TransactionalSender:
    """Writes batches of records, each in one Kafka transaction.

    Use it as a context manager. Entering aborts the open transaction of an earlier sender with the same
    transactional id and fences that sender: of two senders only the newer one can write.

    Args:
        settings: Settings with the broker's address.
        transactional_id: Transactional id of the producer.

    Attributes:
        written: Offset of the last record that was written to each topic and partition.
    """

    def __init__(self, settings: Settings, transactional_id: str) -> None:
        self._settings = settings
        self._id = transactional_id
        self._delivery_error: KafkaError | None = None
        self.written: dict[tuple[str, int], int] = {}
        self._topics: set[str] = set()
        options = confluent_options(settings) | {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(settings.transaction_timeout_s * 1000),
            "compression.type": settings.compression,
            "message.max.bytes": _MAX_RECORD_BYTES,
            "linger.ms": 5,
            "queue.buffering.max.kbytes": 128 * 1024,
        }
        self._producer = Producer(options)

    def __enter__(self) -> Self:
        self._call(self._producer.init_transactions, 30.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.purge()
        # After a fatal error there is nothing to flush, and the error was raised already.
        with suppress(KafkaException):
            self._producer.flush(5)

    def send(
        self,
        outputs: Iterable[Output],
        offsets: Mapping[int, int] | None = None,
        consumer: Consumer | None = None,
        topic: str = "",
    ) -> None:
        """Write one batch in one transaction.

        Args:
            outputs: Records to write.
            offsets: Next offset by partition of `topic`, committed in the same transaction.
            consumer: Consumer whose group commits the offsets. Required with `offsets`.
            topic: Topic of the offsets.

        Raises:
            RetryLater: The broker was unreachable for too long. The transaction is aborted.
            StopWorker: The broker rejects a record, or a newer sender has fenced this one. The transaction is
                aborted.
        """
        self._delivery_error = None
        self._topics = set()
        self._call(self._producer.begin_transaction)
        try:
            for output in outputs:
                self._topics.add(output.topic)
                self._produce(output)
            if offsets and consumer is not None:
                positions = [
                    TopicPartition(topic, partition, offset) for partition, offset in offsets.items()
                ]
                self._call(
                    self._producer.send_offsets_to_transaction,
                    positions,
                    consumer.consumer_group_metadata(),
                    30.0,
                )
            self._call(self._producer.commit_transaction, 60.0)
        except BaseException:
            self._abort()
            raise

    def _produce(self, output: Output) -> None:
        timestamp = (
            {} if output.timestamp is None or output.timestamp < 0 else {"timestamp": output.timestamp}
        )
        while True:
            try:
                self._producer.produce(
                    output.topic,
                    output.value,
                    output.key,
                    partition=output.partition,
                    headers=list(output.headers),
                    on_delivery=self._delivered,
                    **timestamp,
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise translated_kafka_error(error, self._settings) from error
            else:
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.written[message.topic(), message.partition()] = message.offset()
            return
        # A record is also purged because another one was rejected.
        purged = error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)
        if not purged and self._delivery_error is None:
            self._delivery_error = error

    def _call(self, method: Any, *arguments: Any) -> None:
        """Call a method of the producer, again after retriable errors."""
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                method(*arguments)
            except KafkaException as error:
                reason = error.args[0]
                if reason.retriable() and attempts_left:
                    continue
                if reason.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
                    raise StopWorker(
                        "a newer run with the same id has fenced this one; this run has written nothing since"
                    ) from error
                raise self._translated(error) from error
            else:
                return

    def _translated(self, error: KafkaException) -> ShelfstreamError:
        # A rejected record makes the commit fail. The record's delivery error has the reason.
        reason = error.args[0] if self._delivery_error is None else self._delivery_error
        needed = [Acl(Resource.TRANSACTIONAL_ID, self._id, Operation.WRITE), own_group(self._settings)]
        if reason.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            written = [Acl(Resource.TOPIC, topic, Operation.WRITE) for topic in sorted(self._topics)]
            needed += missing_on_topics(self._settings, written)
        return translated_kafka_error(KafkaException(reason), self._settings, needed)

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(30.0)
        except KafkaException:
            return  # the broker aborts it at its timeout, or it has ended already


def next_offsets(records: Sequence[MemoryRecord]) -> dict[int, int]:
    """Return the offset after the last of the records, by partition."""
    return {record.partition: record.offset + 1 for record in records}
