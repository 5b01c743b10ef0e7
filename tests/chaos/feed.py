"""The feed: writes inputs at a steady rate during faults, and keeps a receipt of each."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from tests.chaos.inputs import Input

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
        return self.receipts

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
        assert topic is not None and partition is not None and offset is not None
        self.receipts.append(Receipt(record, Position(topic, partition, offset), sent_at))
