"""The demo's ends of the topics: it writes the inputs and reads the outputs."""

from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from schemas.errors import StopWorker
from streams.demo.counters import OUTPUTS, Tally
from streams.demo.feed import FeedRecord
from streams.embedded import EMBEDDED_PARTITIONS

_READ_AT_ONCE = 1000
_FLUSH_S = 10.0


class Wire:
    """Writes records and reads outputs into a tally; not for several threads.

    Args:
        bootstrap: the embedded broker's address.
        tally: is told of all that is written and read.
    """

    def __init__(self, bootstrap: str, tally: Tally) -> None:
        self._tally = tally
        self._failure: KafkaError | None = None
        common = {"bootstrap.servers": bootstrap, "log_level": 0}
        # The partitioner is that of Kafka's Java client: a key's records stand where its state is.
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
        """Hand a record to the producer; `now` in seconds of the tally's clock."""
        self._producer.produce(record.topic, value=record.value, key=record.key, headers=list(record.headers))
        self._tally.sent(record.topic, record.key, now)

    def flush(self) -> None:
        """Wait until all that was written has arrived."""
        self._producer.flush(_FLUSH_S)
        self._check()

    def read(self, wait_s: float, now: float) -> int:
        """Read what there is, waiting up to `wait_s` for the first; returns the number of records.

        Raises:
            StopWorker: the broker lost or refused something.
        """
        self._producer.poll(0)
        self._check()
        records = 0
        for message in self._consumer.consume(_READ_AT_ONCE, wait_s):
            if message.error() is not None:
                self._heard(message.error())
                continue
            records += 1
            self._tally.read(message.topic(), message.key(), message.value(), message.headers() or [], now)
        return records

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._failure = error

    def _heard(self, error: KafkaError) -> None:
        # A topic that nobody has written to yet is unknown at first: it appears with its first record.
        if error.fatal():
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise StopWorker(f"The embedded broker failed: {self._failure.str()} ({self._failure.name()})")
