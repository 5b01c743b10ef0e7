"""The committed offset of a group is known or unknown. An unknown offset never counts as none."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.errors import RetryLater
from streams.faust_transport.group_offsets import GroupOffsets, committed_topic_id
from streams.records import Partition
from tests.support.broker import Kafka, StartableKafka, free_ports

PATIENCE_S = 120.0
_PASSING = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._WAIT_COORD,
)


def offsets_of(server: Kafka, group: str, timeout_s: float = 20.0) -> GroupOffsets:
    client = {"bootstrap.servers": server.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 100}
    return GroupOffsets(group, lambda: (client, None), timeout_s=timeout_s)


def make_topic(server: Kafka, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": server.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": server.bootstrap})
    for number in range(10):
        producer.produce(topic, str(number))
    producer.flush()


def commit(server: Kafka, group: str, topic: str, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": server.bootstrap, "group.id": group})
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
            break
        except KafkaException as error:
            # A coordinator that was just elected, or that loads its groups, refuses for a moment.
            if error.args[0].code() not in _PASSING or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    consumer.close()


async def committed(offsets: GroupOffsets, at: Partition) -> int | None:
    """Ask again after RetryLater, as a lane does."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            position = await offsets.committed(at)
        except RetryLater:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        else:
            return None if position is None else position.offset


@pytest.mark.kafka
async def test_a_group_has_no_position_until_it_commits(kafka: Kafka, unique: Callable[[str], str]) -> None:
    topic, group = unique("in"), unique("group")
    make_topic(kafka, topic)
    offsets = offsets_of(kafka, group)
    assert await committed(offsets, Partition(topic, 0)) is None
    commit(kafka, group, topic, 7)
    assert await committed(offsets, Partition(topic, 0)) == 7


class Found:
    """A committed offset whose metadata are these bytes, as confluent-kafka returns it."""

    def __init__(self, metadata: bytes) -> None:
        self._metadata = metadata

    @property
    def metadata(self) -> str:
        return self._metadata.decode()


@pytest.mark.parametrize("behind", [b"", b"x", b"Kafka", "\u00e9".encode(), b"\xbd\xe6\x15\x05"])
def test_what_lies_behind_the_topic_id_in_memory_is_not_part_of_it(behind: bytes) -> None:
    found: Any = Found(b"r5nHEt3iS9evRMY4IDWGqA" + behind)
    assert committed_topic_id(found) == "r5nHEt3iS9evRMY4IDWGqA"


@pytest.mark.parametrize(
    "metadata", [b"", b"r5nHEt3i", b"\xbd\xe6\x15\x05", b"of another program, not an id"]
)
def test_other_metadata_are_no_topic_id(metadata: bytes) -> None:
    found: Any = Found(metadata)
    assert committed_topic_id(found) == ""


async def test_an_unreachable_broker_raises_retry_later() -> None:
    client = {"bootstrap.servers": f"127.0.0.1:{free_ports(1)[0]}", "log_level": 0}
    with pytest.raises(RetryLater, match="the position of the group g in t-0 is not known"):
        await GroupOffsets("g", lambda: (client, None), timeout_s=0.5).committed(Partition("t", 0))


@pytest.mark.kafka
async def test_during_a_restart_of_the_broker_a_committed_offset_is_never_missed(
    own_broker: StartableKafka,
) -> None:
    """A coordinator that still loads its groups refuses the request."""
    make_topic(own_broker, "in")
    commit(own_broker, "group", "in", 7)
    restart = threading.Thread(target=own_broker.restart)
    restart.start()
    offsets = offsets_of(own_broker, "group", timeout_s=2.0)
    answers: set[int | None] = set()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and (restart.is_alive() or not answers):
        try:
            position = await offsets.committed(Partition("in", 0))
            answers.add(position.offset if position else None)
        except RetryLater:
            continue
    restart.join()
    assert answers == {7}
