"""Writes the events of an import to Kafka: exactly once, and again from where an earlier run stopped."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.envelope import output_headers
from schemas.errors import StopWorker
from schemas.events import ProductCreated, UserBehavior
from schemas.keys import partition_for, product_key, user_key
from streams.importing.conversion import Converted
from streams.permission_check import why_not_listed
from streams.records import Output
from streams.replay.broker_admin import BrokerAdmin, translated_kafka_error
from streams.replay.transactional_copy import BATCH_BYTES, BATCH_RECORDS, open_consumer
from streams.replay.transactional_sender import TransactionalSender, own_group
from streams.settings import Settings
from streams.topics import PRODUCT_CREATED, USER_BEHAVIOR

_HEAD_BYTES = 1024 * 1024
_TIMEOUT_S = 15.0
_PAUSE_S = 0.2
_TRANSIENT = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
_POSITION = TopicPartition(PRODUCT_CREATED, 0)
"""The group of an import commits its position as an offset of this partition, whatever it writes."""


def import_id(what: Sequence[str], files: Iterable[Path]) -> str:
    """Return the id of an import: the same for the same files, release, format and options.

    Args:
        what: Release, format, options and mapping.
        files: The files. Their names, sizes and first mebibytes count.

    Returns:
        12 hexadecimal digits.
    """
    identity = blake2b(repr(list(what)).encode(), digest_size=6)
    for path in files:
        identity.update(repr((path.name, path.stat().st_size)).encode())
        with path.open("rb") as file:
            identity.update(file.read(_HEAD_BYTES))
    return identity.hexdigest()


class KafkaImport:
    """An import into Kafka. Events are counted in file order; the count is the position.

    Args:
        settings: Settings with the broker's address.
        identity: The import's id. Two runs with the same id cannot write at the same time.
        file_format: The format's name, for the header `ce_source`.
        partitions: The number of partitions of each input topic.
        position: Events that earlier runs wrote.
        sender: Writes in transactions.
        consumer: Its group commits the position.
    """

    def __init__(
        self,
        settings: Settings,
        identity: str,
        file_format: str,
        partitions: dict[str, int],
        position: int,
        sender: TransactionalSender,
        consumer: Consumer,
    ) -> None:
        self.position = position
        self._settings = settings
        self._identity = identity
        self._source = f"/shelfstream/import/{file_format}"
        self._partitions = partitions
        self._sender, self._consumer = sender, consumer

    def write(self, events: Iterable[Converted]) -> Iterator[int]:
        """Write the events behind the position, a batch in each transaction.

        Args:
            events: All events of the import, from its beginning.

        Yields:
            The position after each transaction.

        Raises:
            RetryLater: The broker was unreachable for too long. The position is that of the last transaction.
            StopWorker: The broker rejects a record, or a newer run of the same import has fenced this one.
        """
        batch: list[Output] = []
        size = number = 0
        for number, event in enumerate(events, 1):
            if number <= self.position:
                continue
            output = self._output(event, number)
            batch.append(output)
            size += output.size
            if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
                yield self._commit(batch, number)
                batch, size = [], 0
        if batch:
            yield self._commit(batch, number)

    def _commit(self, batch: list[Output], position: int) -> int:
        self._sender.send(batch, {_POSITION.partition: position}, self._consumer, _POSITION.topic)
        self.position = position
        return position

    def _output(self, converted: Converted, number: int) -> Output:
        event = converted.event
        assert isinstance(event, ProductCreated | UserBehavior)
        key = product_key(event.product_id) if isinstance(event, ProductCreated) else user_key(event)
        headers = output_headers(
            converted.topic,
            event_id=event.event_id or f"{self._identity}-{number}",
            source=self._source,
            subject=key.decode(),
            time=event.occurred_at,
        )
        partition = partition_for(key, self._partitions[converted.topic])
        return Output(converted.topic, partition, key, converted.value, headers)


@contextmanager
def open_import(settings: Settings, identity: str, file_format: str, restart: bool) -> Iterator[KafkaImport]:
    """Open an import at the position of its last transaction.

    Args:
        settings: Settings with the broker's address.
        identity: The id, from `import_id`.
        file_format: The format's name.
        restart: Whether to begin at the first event, whatever was written before.

    Yields:
        The import.

    Raises:
        RetryLater: The broker is unreachable.
        StopWorker: A topic is missing, or the broker refuses a request.
    """
    topics = BrokerAdmin(settings).topics()
    for topic in (PRODUCT_CREATED, USER_BEHAVIOR):
        if topic not in topics:
            raise StopWorker(why_not_listed(settings, topic))
    name = f"{settings.app_id}-import-{identity}"
    consumer = open_consumer(settings, name)
    try:
        with TransactionalSender(settings, name) as sender:
            # Read only now: entering ends the open transaction of an earlier run.
            position = 0 if restart else _committed(settings, consumer)
            yield KafkaImport(settings, identity, file_format, topics, position, sender, consumer)
    finally:
        consumer.close()


def _committed(settings: Settings, consumer: Consumer) -> int:
    """Return the position of the last transaction; 0 if there is none."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            (position,) = consumer.committed([_POSITION], timeout=_TIMEOUT_S)
        except KafkaException as error:
            # A broker that was just started is not yet the group's coordinator.
            if error.args[0].code() not in _TRANSIENT or time.monotonic() > deadline:
                raise translated_kafka_error(error, settings, [own_group(settings)]) from error
            time.sleep(_PAUSE_S)
        else:
            return max(0, int(position.offset))
