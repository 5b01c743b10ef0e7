"""The broker that everything is measured on: topics made and dropped, and how far somebody has got."""

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
    """What a read_committed reader finds in a topic.

    Attributes:
        records: How many.
        distinct: How many different values of what `read_committed` was told to tell apart.
        first_at: When the broker appended the first, in seconds since 1970.
        last_at: When it appended the last.
    """

    records: int
    distinct: int
    first_at: float
    last_at: float

    @property
    def per_s(self) -> float:
        """Records a second from the first to the last; 0 where there are too few to say."""
        elapsed = self.last_at - self.first_at
        return self.records / elapsed if elapsed > 0 else 0.0


class Cluster:
    """A running broker.

    Args:
        bootstrap: Its address.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = self._connected()

    def _connected(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create(self, topic: str, partitions: int, **config: str) -> None:
        """Make a topic; the broker sets its records' time, so that all contestants have the same clock."""
        config = {"message.timestamp.type": "LogAppendTime", **config}
        config = {name.replace("_", "."): value for name, value in config.items()}
        new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config)
        self._admin.create_topics([new])[topic].result(30)
        # A topic that was just made answers that nobody leads it.
        _patiently(lambda: self.stable_end(topic, partitions))

    def delete(self, topics: Iterable[str]) -> None:
        """Drop topics: the disk of the machine is not endless."""
        listed = list(topics)
        if listed:
            for future in self._admin.delete_topics(listed).values():
                future.result(30)

    def topics(self) -> set[str]:
        """All topics but Kafka's own."""
        names: Iterable[str] = self._admin.list_topics(timeout=10).topics
        return {name for name in names if not name.startswith("__")}

    def stable_end(self, topic: str, partitions: int) -> tuple[int, bool]:
        """How far read_committed readers can read, summed, and whether no transaction is open.

        Offsets count transaction markers too.
        """
        try:
            total = self._ends(topic, partitions, IsolationLevel.READ_COMMITTED)
            return total, total == self._ends(topic, partitions, IsolationLevel.READ_UNCOMMITTED)
        except KafkaException:
            # It remembers that it found no leaders, longer than that is so.
            self._admin = self._connected()
            raise

    def _ends(self, topic: str, partitions: int, isolation: IsolationLevel) -> int:
        latest = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(partitions)}
        asked = self._admin.list_offsets(latest, isolation_level=isolation)
        return int(sum(future.result().offset for future in asked.values()))

    def consumed(self, group: str, topic: str, partitions: int) -> int:
        """How far the group has committed, summed over the partitions."""
        at = [TopicPartition(topic, number) for number in range(partitions)]
        asking = self._asking(group)
        return int(_patiently(lambda: sum(max(0, each.offset) for each in asking.committed(at, 10.0))))

    @cache  # noqa: B019 - there is one cluster in a run
    def _asking(self, group: str) -> Consumer:
        """A consumer that never joins. An AdminClient can ask too, but dies where the coordinator refuses."""
        own = {"group.id": group, "enable.auto.commit": False, "log_level": 0}
        return Consumer({"bootstrap.servers": self.bootstrap, **own})

    def read_committed(self, topic: str, partitions: int) -> Committed:
        """Read all that is committed; records are told apart by key and value."""
        records, seen = 0, set()
        first_ms, last_ms = 1 << 62, 0
        for message in committed_records(self.bootstrap, topic, [0] * partitions):
            records += 1
            seen.add(hash((message.key(), message.value())))
            moment = message.timestamp()[1]
            first_ms, last_ms = min(first_ms, moment), max(last_ms, moment)
        return Committed(records, len(seen), first_ms / 1000, last_ms / 1000)


def _patiently(ask: Callable[[], T]) -> T:
    """Ask again while a broker that has just started or elected says that it is not ready."""
    deadline = time.monotonic() + 30.0
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A broker of one's own, as fast as it can be here, for as long as the block lasts."""
    broker = own_kafka(for_speed=True)
    broker.start()
    try:
        yield Cluster(broker.bootstrap)
    finally:
        broker.remove()
