"""A sender of records in Kafka transactions, with the positions up to which they were read."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.errors import ShelfstreamError, StopWorker
from streams.acls import Acl, Operation, Pattern, Resource
from streams.clients import confluent_options
from streams.permission_check import missing_on_topics
from streams.records import Output
from streams.replay.broker_admin import translated_kafka_error
from streams.settings import Settings

_MAX_RECORD_BYTES = 16 * 1024 * 1024
_ATTEMPTS = 3


def own_group(settings: Settings) -> Acl:
    """Return the permission to use the groups of commands."""
    return Acl(Resource.GROUP, f"{settings.app_id}-", Operation.READ, Pattern.PREFIXED)


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
        # After a fatal error there is nothing to flush, and the error was raised already. The client then
        # fails with either of these.
        with suppress(KafkaException, SystemError):
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
                if error.args[0].code() == KafkaError._FATAL:
                    raise StopWorker(
                        "the producer failed for good, most likely because a newer run with the same id has "
                        "fenced this one; this run has written nothing since"
                    ) from error
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
