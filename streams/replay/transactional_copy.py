"""Reading ranges of a topic and writing records in transactions: the engine of replay and redrive."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.errors import RetryLater, StopWorker
from streams.clients import confluent_options
from streams.records import MemoryRecord, Output
from streams.replay.broker_admin import BrokerAdmin, translated_kafka_error
from streams.replay.ranges import OffsetRange
from streams.settings import Settings

BATCH_RECORDS = 1000
BATCH_BYTES = 8 * 1024 * 1024
_LARGEST_RECORD = 16 * 1024 * 1024
_SILENCE_S = 30.0
_TRIES = 3


def open_consumer(settings: Settings, group: str) -> Consumer:
    """A consumer that reads committed records only and commits nothing by itself. Close it after use.

    Raises:
        RetryLater: the broker is away.
        StopWorker: it does not let us in.
    """
    BrokerAdmin(settings).topics()  # a consumer by itself does not say why it is not let in
    return Consumer(
        confluent_options(settings)
        | {
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 16 * 1024,
            # A waiting fetch holds up all other questions to the same broker.
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
    """Read the ranges' records in batches; of one partition in order.

    Raises:
        RetryLater: the broker fell silent.
        StopWorker: it refuses.
    """
    ends = {each.partition: each.end for each in ranges if each.offsets}
    if not ends:
        return
    starts = {each.partition: each.start for each in ranges}
    consumer.assign([TopicPartition(topic, partition, starts[partition]) for partition in ends])
    open_partitions = set(ends)
    batch: list[MemoryRecord] = []
    size, silence = 0, 0.0
    while open_partitions:
        asked = time.monotonic()
        messages = consumer.consume(batch_records, timeout=0.2)
        silence = 0.0 if messages else silence + time.monotonic() - asked
        for message in messages:
            if _is_past(message, ends, settings):
                open_partitions.discard(message.partition())
            elif message.error() is None and message.offset() >= starts[message.partition()]:
                batch.append(as_record(message))
                size += len(message)
                if message.offset() + 1 >= ends[message.partition()]:
                    open_partitions.discard(message.partition())
            if len(batch) >= batch_records or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch
            batch, size = [], 0
        if silence > _SILENCE_S:
            raise RetryLater(f"Kafka at {settings.bootstrap_servers} sent nothing for {_SILENCE_S:.0f} s")
    consumer.unassign()


def _is_past(message: Message, ends: Mapping[int, int], settings: Settings) -> bool:
    """Whether the message says that its partition's range is over: it lies behind, or nothing does."""
    error = message.error()
    if error is None:
        return bool(message.offset() >= ends[message.partition()])
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    if error.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
        return False  # librdkafka reconnects; silence is what ends our patience
    raise translated_kafka_error(KafkaException(error), settings)


def as_record(message: Message) -> MemoryRecord:
    """The message as plain data. Without a timestamp it gets -1."""
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
    """Writes batches of records, each in one Kafka transaction: all of a batch is seen or nothing.

    Use it as a context manager. Entering ends what an earlier sender of the same id left open and fences
    it, so that of two at work only the newer one writes.

    Args:
        settings: where Kafka is.
        transactional_id: who writes.
    """

    def __init__(self, settings: Settings, transactional_id: str) -> None:
        self._settings = settings
        self._failed: KafkaError | None = None
        options = confluent_options(settings) | {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(settings.transaction_timeout_s * 1000),
            "compression.type": settings.compression,
            "message.max.bytes": _LARGEST_RECORD,
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
        self._producer.flush(5)

    def send(
        self,
        outputs: Iterable[Output],
        offsets: Mapping[int, int] | None = None,
        consumer: Consumer | None = None,
        topic: str = "",
    ) -> None:
        """Write one batch.

        Args:
            outputs: the records.
            offsets: next offset by partition of `topic`, committed with the records, for `consumer`'s group.
            consumer: whose group it is; needed with `offsets`.
            topic: the topic of the offsets.

        Raises:
            RetryLater: Kafka was away too long; nothing of the batch is there.
            StopWorker: it refuses a record, or a newer sender took over; nothing of the batch is there.
        """
        self._failed = None
        self._call(self._producer.begin_transaction)
        try:
            for output in outputs:
                self._produce(output)
            if offsets and consumer is not None:
                places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
                self._call(
                    self._producer.send_offsets_to_transaction,
                    places,
                    consumer.consumer_group_metadata(),
                    30.0,
                )
            self._call(self._producer.commit_transaction, 60.0)
        except BaseException:
            self._abort()
            raise

    def _produce(self, output: Output) -> None:
        stamp = {} if output.timestamp is None or output.timestamp < 0 else {"timestamp": output.timestamp}
        while True:
            try:
                self._producer.produce(
                    output.topic,
                    output.value,
                    output.key,
                    partition=output.partition,
                    headers=list(output.headers),
                    on_delivery=self._delivered,
                    **stamp,
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise translated_kafka_error(error, self._settings) from error
            else:
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = error

    def _call(self, method: Any, *arguments: Any) -> None:
        for left in reversed(range(_TRIES)):
            try:
                method(*arguments)
            except KafkaException as error:
                reason = error.args[0]
                if reason.retriable() and left:
                    continue
                if reason.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
                    raise StopWorker(
                        "another run of the same took over; this one wrote nothing since"
                    ) from error
                # A record that was refused makes the commit fail; the record's own error says why.
                raise translated_kafka_error(
                    KafkaException(self._failed) if self._failed is not None else error, self._settings
                ) from error
            else:
                return

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(30.0)
        except KafkaException:
            return  # the broker aborts it when its time is over, or it ended already


def next_offsets(records: Sequence[MemoryRecord]) -> dict[int, int]:
    """The offset after the last of the records, by partition."""
    return {record.partition: record.offset + 1 for record in records}
