"""Every transactional writer commits outputs and offsets together, once, and only for the newest owner."""

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Assignment
from confluent_kafka.admin import AdminClient, NewTopic

from streams.lanes.memory import MemoryBroker, MemoryTransactionalWriter
from streams.lanes.transactional_writer import Fenced, KafkaTransactionalWriter, TransactionalWriter
from streams.records import Output, Partition, ReadPosition
from tests.support.broker import Kafka


class Cluster:
    """What the contract needs of a cluster: writers, and the view of a read_committed reader."""

    def __init__(
        self,
        writer: Callable[[str], TransactionalWriter],
        records: Callable[[str], list[tuple[int, bytes | None]]],
        committed: Callable[[Partition], int | None],
        topic: str,
    ) -> None:
        self.writer = writer
        self.records = records
        self.committed = committed
        self.topic = topic

    def read(self, topic: str) -> list[bytes | None]:
        """The committed values."""
        return [value for _, value in self.records(topic)]

    def end(self, topic: str) -> int:
        """The offset after the last committed record."""
        return max(offset for offset, _ in self.records(topic)) + 1


def memory_cluster() -> Cluster:
    broker = MemoryBroker()
    return Cluster(
        lambda name: MemoryTransactionalWriter(broker, name, "group"),
        lambda topic: [(record.offset, record.value) for record in broker.read(topic)],
        lambda at: broker.offsets.get(("group", at)),
        "out",
    )


def kafka_cluster(server: Kafka, unique: Callable[[str], str]) -> Cluster:
    topic, group = unique("out"), unique("group")
    admin = AdminClient({"bootstrap.servers": server.bootstrap})
    for future in admin.create_topics([NewTopic(topic, 2, 1), NewTopic(unique("in"), 1, 1)]).values():
        future.result()

    def writer(name: str) -> TransactionalWriter:
        return KafkaTransactionalWriter(
            unique(name),
            group,
            timeout_s=20,
            transaction_timeout_s=20,
            compression=None,
            client={"bootstrap_servers": server.bootstrap},
            inputs=[Partition(unique("in"), 0)],
            changelogs=[Partition(topic, 0), Partition(topic, 1)],
        )

    def records(name: str) -> list[tuple[int, bytes | None]]:
        consumer = Consumer(
            {
                "bootstrap.servers": server.bootstrap,
                "group.id": unique("reader"),
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        consumer.assign([Assignment(name, number, 0) for number in range(2)])
        values, ended = [], 0
        while ended < 2:
            for message in consumer.consume(100, 5.0):
                if message.error():
                    ended += 1
                else:
                    values.append((message.offset(), message.value()))
        consumer.close()
        return values

    def committed(at: Partition) -> int | None:
        consumer = Consumer({"bootstrap.servers": server.bootstrap, "group.id": group})
        offset: int = consumer.committed([Assignment(unique("in"), at.partition)], 10.0)[0].offset
        consumer.close()
        return offset if offset >= 0 else None

    return Cluster(writer, records, committed, topic)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def cluster(request: pytest.FixtureRequest, unique: Callable[[str], str]) -> Cluster:
    if request.param == "memory":
        return memory_cluster()
    return kafka_cluster(request.getfixturevalue("kafka"), unique)


def offsets_of(unique: Callable[[str], str], offset: int, cluster: Cluster) -> dict[Partition, ReadPosition]:
    name = "in" if cluster.topic == "out" else unique("in")
    return {Partition(name, 0): ReadPosition(offset)}


async def test_a_commit_makes_outputs_and_offsets_visible(
    cluster: Cluster, unique: Callable[[str], str]
) -> None:
    """Committed records are read in order, and the group's offset follows them."""
    writer = cluster.writer("lane")
    await writer.open()
    outputs = [Output(cluster.topic, 0, b"k", b"%d" % number) for number in range(3)]
    written = await writer.commit(outputs, offsets_of(unique, 7, cluster))
    await writer.close()
    assert cluster.read(cluster.topic) == [b"0", b"1", b"2"]
    assert cluster.committed(Partition("in", 0)) == 7
    assert written == {Partition(cluster.topic, 0): cluster.end(cluster.topic)}


async def test_opening_leaves_what_was_committed_as_it_was(
    cluster: Cluster, unique: Callable[[str], str]
) -> None:
    """Opening any number of times writes nothing visible and moves no offset."""
    writer = cluster.writer("lane")
    await writer.open()
    await writer.open()
    assert cluster.read(cluster.topic) == []
    assert cluster.committed(Partition("in", 0)) is None
    await writer.commit([Output(cluster.topic, 0, b"k", b"v")], offsets_of(unique, 3, cluster))
    await writer.open()
    await writer.close()
    assert cluster.read(cluster.topic) == [b"v"]
    assert cluster.committed(Partition("in", 0)) == 3


async def test_large_batches_are_split_and_keep_their_order(
    cluster: Cluster, unique: Callable[[str], str]
) -> None:
    """Outputs beyond the broker's batch limit are written in order, and the end offset is right."""
    writer = cluster.writer("lane")
    await writer.open()
    outputs = [Output(cluster.topic, 1, b"k", b"%06d" % number + b"x" * 5_000) for number in range(1_000)]
    written = await writer.commit(outputs, offsets_of(unique, 1, cluster))
    await writer.close()
    values = cluster.read(cluster.topic)
    assert [value[:6] for value in values if value] == [b"%06d" % number for number in range(1_000)]
    assert written[Partition(cluster.topic, 1)] == cluster.end(cluster.topic)


async def test_a_newer_owner_fences_the_older(cluster: Cluster, unique: Callable[[str], str]) -> None:
    """Of two owners of one id, only the one that opened last can commit."""
    older, newer = cluster.writer("lane"), cluster.writer("lane")
    await older.open()
    await older.commit([Output(cluster.topic, 0, b"k", b"first")], offsets_of(unique, 1, cluster))
    await newer.open()
    with pytest.raises(Fenced):
        await older.commit([Output(cluster.topic, 0, b"k", b"zombie")], offsets_of(unique, 2, cluster))
    await newer.commit([Output(cluster.topic, 0, b"k", b"second")], offsets_of(unique, 2, cluster))
    await older.close()
    await newer.close()
    assert cluster.read(cluster.topic) == [b"first", b"second"]
    assert cluster.committed(Partition("in", 0)) == 2


async def test_a_commit_without_outputs_moves_the_offsets(
    cluster: Cluster, unique: Callable[[str], str]
) -> None:
    """A batch without outputs is consumed nevertheless."""
    writer = cluster.writer("lane")
    await writer.open()
    assert await writer.commit([], offsets_of(unique, 5, cluster)) == {}
    await writer.close()
    assert cluster.committed(Partition("in", 0)) == 5
