"""The feed: writes inputs at a steady rate during faults, and keeps a receipt of each."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from tests.chaos.inputs import Input
from tests.support.committed import committed_records

_TICK_S = 0.02


class Position(NamedTuple):
    """The position of a record."""

    topic: str
    partition: int
    offset: int


class Receipt(NamedTuple):
    """An input that the broker has acknowledged.

    Attributes:
        input: The input.
        position: Its position.
        sent_at: When the producer got it, in monotonic seconds.
    """

    input: Input
    position: Position
    sent_at: float


class Feed(threading.Thread):
    """A thread that writes inputs until `finish` is called.

    The producer is idempotent: an outage of the broker neither loses nor repeats an input.

    Args:
        bootstrap: The broker's address.
        inputs: An endless stream of inputs.
        rate_per_s: Records per second.
    """

    def __init__(self, bootstrap: str, inputs: Iterator[Input], rate_per_s: float) -> None:
        super().__init__(daemon=True)
        self._inputs = inputs
        self._rate_per_s = rate_per_s
        self._end = threading.Event()
        self._refused: list[KafkaError] = []
        self._address = bootstrap
        self._unplaced: list[tuple[Input, str, int, float]] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 600_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self.receipts: list[Receipt] = []

    def run(self) -> None:
        """Write until `finish` is called."""
        began, written = time.monotonic(), 0
        while not self._end.is_set():
            due = int((time.monotonic() - began) * self._rate_per_s) - written
            for _ in range(due):
                record = next(self._inputs)
                while record.at_once:
                    self._write(record)
                    record = next(self._inputs)
                self._write(record)
            written += max(0, due)
            self._producer.poll(0)
            time.sleep(_TICK_S)
        self._producer.flush()

    def finish(self) -> list[Receipt]:
        """Stop, and wait until the broker has acknowledged everything.

        Returns:
            A receipt for each input that was written.

        Raises:
            RuntimeError: The broker refused an input. An audit would have nothing to compare with.
        """
        self._end.set()
        self.join()
        if self._refused:
            raise RuntimeError(f"{len(self._refused)} inputs were refused, such as: {self._refused[0]}")
        self._place()
        return self.receipts

    def _place(self) -> None:
        """Find the offsets of inputs that were acknowledged without one."""
        known = {receipt.position for receipt in self.receipts}
        for topic in {topic for _, topic, _, _ in self._unplaced}:
            count = len(self._producer.list_topics(topic, timeout=60).topics[topic].partitions)
            left: dict[tuple[int, object, object], list[int]] = {}
            for message in committed_records(self._address, topic, [0] * count):
                place = Position(topic, message.partition() or 0, message.offset() or 0)
                if place not in known:
                    left.setdefault((place.partition, message.key(), message.value()), []).append(
                        place.offset
                    )
            for record, of, partition, sent_at in self._unplaced:
                if of == topic:
                    offset = left[partition, record.key, record.value].pop(0)
                    self.receipts.append(Receipt(record, Position(topic, partition, offset), sent_at))
        self._unplaced = []

    def _write(self, record: Input) -> None:
        done = partial(self._delivered, record, time.monotonic())
        headers: Any = list(record.headers)
        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, headers=headers, on_delivery=done
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _delivered(self, record: Input, sent_at: float, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._refused.append(error)
            return
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None and partition is not None
        if offset is None:
            # A broker that had a batch already, from before its end, acknowledges it without the offset.
            self._unplaced.append((record, topic, partition, sent_at))
            return
        self.receipts.append(Receipt(record, Position(topic, partition, offset), sent_at))
