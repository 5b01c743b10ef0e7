"""Kafka I/O of the demo: it produces to the input topics and consumes the output topics."""

from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from schemas.errors import StopWorker
from streams.demo.counters import OUTPUTS, DemoCounters
from streams.demo.feed import FeedRecord
from streams.embedded import EMBEDDED_PARTITIONS

_READ_AT_ONCE = 1000
_FLUSH_S = 10.0


class DemoKafka:
    """Writes input records, reads output records, and counts both. A context manager, not thread-safe.

    Args:
        bootstrap: Address of the embedded broker.
        counters: Counters to update.
    """

    def __init__(self, bootstrap: str, counters: DemoCounters) -> None:
        self._counters = counters
        self._failure: KafkaError | None = None
        common = {"bootstrap.servers": bootstrap, "log_level": 0}
        # The partitioner of Kafka's Java client: agents keep the state of a key in that partition.
        self._producer = Producer(
            common
            | {
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "enable.idempotence": True,
                "on_delivery": self._delivered,
            }
        )
        self._consumer = Consumer(common | {"group.id": "shelfstream-demo-view", "enable.auto.commit": False})
        self._consumer.assign(
            [
                TopicPartition(topic, partition, OFFSET_BEGINNING)
                for topic in OUTPUTS
                for partition in range(EMBEDDED_PARTITIONS)
            ]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
        self._producer.purge()

    def write(self, record: FeedRecord, now: float) -> None:
        """Produce a record.

        Args:
            record: Record to write.
            now: Present time in seconds, of the clock of the counters.
        """
        self._producer.produce(record.topic, value=record.value, key=record.key, headers=list(record.headers))
        self._counters.add_sent(record.topic, record.key, now)

    def flush(self) -> None:
        """Wait until the broker has acknowledged all records.

        Raises:
            StopWorker: The broker lost or rejected a record.
        """
        self._producer.flush(_FLUSH_S)
        self._check()

    def read(self, wait_s: float, now: float) -> int:
        """Consume the available records.

        Args:
            wait_s: Most seconds to wait for the first record.
            now: Present time in seconds, of the clock of the counters.

        Returns:
            The number of records.

        Raises:
            StopWorker: The broker lost or rejected a record.
        """
        self._producer.poll(0)
        self._check()
        records = 0
        for message in self._consumer.consume(_READ_AT_ONCE, wait_s):
            if message.error() is not None:
                self._keep_if_fatal(message.error())
                continue
            records += 1
            self._counters.add_read(
                message.topic(), message.key(), message.value(), message.headers() or [], now
            )
        return records

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._failure = error

    def _keep_if_fatal(self, error: KafkaError) -> None:
        # A topic without records is unknown to the embedded broker; it creates it with the first record.
        if error.fatal():
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise StopWorker(f"The embedded broker failed: {self._failure.str()} ({self._failure.name()})")
