"""A reader of a topic reads every partition to its end, whatever is written meanwhile."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from streams.settings import Settings
from tests.support.broker import Kafka
from tests.support.committed import committed_records, end_offsets, read_until
from tests.support.topic import create_topic

PARTITIONS, RECORDS = 4, 400


class Reported:
    """A record, or an error that the consumer reports instead of one."""

    def __init__(self, partition: int, offset: int, code: int | None = None) -> None:
        self.place = partition, offset
        self._error = None if code is None else KafkaError(code)

    def error(self) -> KafkaError | None:
        return self._error

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]


class Script:
    """A consumer that returns what it is given, one message a call."""

    def __init__(self, *messages: Reported) -> None:
        self._left = list(messages)

    def consume(self, count: int, timeout: float) -> list[Reported]:
        return [self._left.pop(0)] if self._left else []


def end(partition: int, offset: int) -> Reported:
    return Reported(partition, offset, KafkaError._PARTITION_EOF)


def places(script: Script, *ends: int, within_s: float = 60.0) -> list[tuple[int | None, int | None]]:
    consumer: Any = script
    offsets = [0] * len(ends)
    return [(each.partition(), each.offset()) for each in read_until(consumer, offsets, ends, within_s)]


def test_a_partition_that_ends_twice_does_not_stand_for_another() -> None:
    script = Script(Reported(0, 0), end(0, 1), end(0, 3), Reported(1, 0), end(1, 1))
    assert places(script, 1, 1) == [(0, 0), (1, 0)]


def test_an_end_before_the_asked_offset_is_not_the_end() -> None:
    """An open transaction holds the reader back; its records follow once it is committed."""
    script = Script(end(0, 0), Reported(0, 0), end(0, 2))
    assert places(script, 2) == [(0, 0)]


def test_records_behind_the_asked_offset_are_not_returned() -> None:
    assert places(Script(Reported(0, 0), Reported(0, 1), Reported(1, 0)), 1, 1) == [(0, 0), (1, 0)]


def test_an_error_is_raised_unless_it_passes_by_itself() -> None:
    lost = Reported(-1, -1, KafkaError._ALL_BROKERS_DOWN)
    assert places(Script(lost, Reported(0, 0)), 1) == [(0, 0)]
    refused = Reported(0, 0, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaException, match="authorization"):
        places(Script(refused, Reported(0, 0)), 1)


def test_an_end_that_is_never_reached_fails_with_what_was_read() -> None:
    with pytest.raises(AssertionError, match=r"read up to \[1, 0\] of \[1, 1\]"):
        places(Script(Reported(0, 0)), 1, 1, within_s=0.2)


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_an_open_transaction_is_waited_for_while_another_partition_ends_again_and_again(
    kafka: Kafka, unique: Callable[[str], str]
) -> None:
    """Another producer aborts one transaction after the other, as a lane does that opens again."""
    topic, committed = unique("in"), threading.Event()
    create_topic(Settings(bootstrap_servers=kafka.bootstrap), topic)
    open_transaction = _transactional_producer(kafka, unique("open"))
    open_transaction.begin_transaction()
    for number in range(RECORDS):
        open_transaction.produce(topic, b"%d" % number, partition=1 + number % 3)
    open_transaction.flush()

    def abort_transactions() -> None:
        producer = _transactional_producer(kafka, unique("aborted"))
        # A fetch waits for half a second: only then has the partition ended.
        while not committed.wait(0.8):
            producer.begin_transaction()
            producer.produce(topic, b"aborted", partition=0)
            producer.flush()
            producer.abort_transaction(60)

    with ThreadPoolExecutor() as pool:
        aborting = pool.submit(abort_transactions)
        reading = pool.submit(lambda: list(committed_records(kafka.bootstrap, topic, [0] * PARTITIONS)))
        try:
            before = end_offsets(kafka.bootstrap, topic, PARTITIONS)[0]
            while end_offsets(kafka.bootstrap, topic, PARTITIONS)[0] < before + 6:
                assert not reading.done(), "the reader did not wait for the open transaction"
                time.sleep(0.05)
            open_transaction.commit_transaction(60)
            values = [each.value() for each in reading.result(120)]
        finally:
            committed.set()
        aborting.result(120)
    assert sorted(values) == sorted(b"%d" % number for number in range(RECORDS))


def _transactional_producer(kafka: Kafka, name: str) -> Producer:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": name})
    producer.init_transactions(60)
    return producer
