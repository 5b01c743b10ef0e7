"""The broker of the measurements: creates and deletes topics, and reads offsets."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from tests.support.committed import committed_records
from tests.support.kafka import own_kafka

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Committed:
    """The committed records of a topic.

    Attributes:
        records: The number of records.
        distinct: The number of distinct records by key and value.
        first_at: The time at which the broker appended the first record, in seconds since 1970.
        last_at: The time at which the broker appended the last record, in seconds since 1970.
    """

    records: int
    distinct: int
    first_at: float
    last_at: float

    @property
    def per_s(self) -> float:
        """Records per second from the first to the last; 0 if there are too few."""
        elapsed = self.last_at - self.first_at
        return self.records / elapsed if elapsed > 0 else 0.0


class Cluster:
    """A running broker.

    Args:
        bootstrap: The address of the broker.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = self._connected()

    def _connected(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create(self, topic: str, partitions: int, **config: str) -> None:
        """Create a topic. The broker sets its records' timestamps, so all contestants have the same clock."""
        config = {"message.timestamp.type": "LogAppendTime", **config}
        config = {name.replace("_", "."): value for name, value in config.items()}
        new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config)
        self._admin.create_topics([new])[topic].result(30)
        # A new topic has no leaders for a moment.
        _retry(lambda: self.stable_end(topic, partitions))

    def delete(self, topics: Iterable[str]) -> None:
        """Delete topics to free the disk."""
        names = list(topics)
        if names:
            for future in self._admin.delete_topics(names).values():
                future.result(30)

    def topics(self) -> set[str]:
        """Return all topics except Kafka's internal ones."""
        names: Iterable[str] = self._admin.list_topics(timeout=10).topics
        return {name for name in names if not name.startswith("__")}

    def stable_end(self, topic: str, partitions: int) -> tuple[int, bool]:
        """Return the sum of the last stable offsets, and whether no transaction is open.

        Offsets include transaction markers.
        """
        try:
            total = self._ends(topic, partitions, IsolationLevel.READ_COMMITTED)
            return total, total == self._ends(topic, partitions, IsolationLevel.READ_UNCOMMITTED)
        except KafkaException:
            # The client caches that there are no leaders for too long.
            self._admin = self._connected()
            raise

    def _ends(self, topic: str, partitions: int, isolation: IsolationLevel) -> int:
        latest = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(partitions)}
        futures = self._admin.list_offsets(latest, isolation_level=isolation)
        return int(sum(future.result().offset for future in futures.values()))

    def consumed(self, group: str, topic: str, partitions: int) -> int:
        """Return the sum of the group's committed offsets over the partitions."""
        partitions_of_topic = [TopicPartition(topic, number) for number in range(partitions)]
        consumer = self._consumer_of(group)
        return int(
            _retry(lambda: sum(max(0, each.offset) for each in consumer.committed(partitions_of_topic, 10.0)))
        )

    @cache  # noqa: B019 - there is one cluster in a run
    def _consumer_of(self, group: str) -> Consumer:
        """Return a consumer that never joins the group. An AdminClient fails if there is no coordinator."""
        config = {"group.id": group, "enable.auto.commit": False, "log_level": 0}
        return Consumer({"bootstrap.servers": self.bootstrap, **config})

    def read_committed(self, topic: str, partitions: int) -> Committed:
        """Read all committed records; they are distinct if key or value differ."""
        records, seen = 0, set()
        first_ms, last_ms = 1 << 62, 0
        for message in committed_records(self.bootstrap, topic, [0] * partitions):
            records += 1
            seen.add(hash((message.key(), message.value())))
            time_ms = message.timestamp()[1]
            first_ms, last_ms = min(first_ms, time_ms), max(last_ms, time_ms)
        return Committed(records, len(seen), first_ms / 1000, last_ms / 1000)


def _retry(request: Callable[[], T]) -> T:
    """Retry a request for 30 s while a broker that just started, or elects leaders, is not ready."""
    deadline = time.monotonic() + 30.0
    while True:
        try:
            return request()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a new broker, configured for speed, within the block."""
    broker = own_kafka(for_speed=True)
    broker.start()
    try:
        yield Cluster(broker.bootstrap)
    finally:
        broker.remove()
