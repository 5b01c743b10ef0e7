"""Readers of committed outputs: `CommittedTopic` reads what is there, `Tail` measures when outputs arrive."""

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress

from confluent_kafka import KafkaException, Message

from tests.chaos.feed import Receipt
from tests.support.committed import committed_reader, committed_records

InputIdOf = Callable[[Message], Hashable]


class CommittedTopic:
    """The committed records of a topic. Each `read` returns those that were written since the previous one.

    Args:
        bootstrap: The broker's address.
        topic: The topic.
        partitions: Its number of partitions.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._next = [0] * partitions

    def read(self) -> list[Message]:
        """Read the new records, in offset order within each partition."""
        messages = list(committed_records(self._bootstrap, self._topic, self._next))
        for message in messages:
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None
            self._next[partition] = offset + 1
        return messages


class Tail(threading.Thread):
    """A thread that records when a read_committed reader first saw each input's output.

    Args:
        bootstrap: The broker's address.
        topic: The output topic.
        partitions: Its number of partitions.
        input_id_of: Returns the id of the input that an output came from.

    Attributes:
        arrivals: When each output was seen, in monotonic seconds, by the id of its input.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int, input_id_of: InputIdOf) -> None:
        super().__init__(daemon=True)
        self._consumer = committed_reader(bootstrap, topic, [0] * partitions)
        self._mark_of = input_id_of
        self._end = threading.Event()
        self.arrivals: dict[Hashable, float] = {}

    def run(self) -> None:
        """Read until `finish` is called."""
        while not self._end.is_set():
            with suppress(KafkaException):
                messages = self._consumer.consume(5_000, 0.05)
                now = time.monotonic()
                for message in messages:
                    if message.error() is None:
                        self.arrivals.setdefault(self._mark_of(message), now)
        self._consumer.close()

    def finish(self) -> None:
        """Stop reading."""
        self._end.set()
        self.join()


def recovery_s(
    since: float,
    receipts: Iterable[Receipt],
    arrivals: dict[Hashable, float],
    input_id: Callable[[Receipt], Hashable],
) -> float | None:
    """Measure the time until every partition has an output of an input that was written after a fault.

    Args:
        since: When the fault ended, or began if it has no end, in monotonic seconds.
        receipts: The inputs that have outputs.
        arrivals: When each input's output was seen, by the input's id.
        input_id: Returns the id of an input.

    Returns:
        Seconds after `since`. None if a partition has no such output.
    """
    first: dict[int, float] = {}
    partitions = set()
    for receipt in receipts:
        partitions.add(receipt.position.partition)
        if receipt.sent_at >= since and (seen := arrivals.get(input_id(receipt))) is not None:
            partition = receipt.position.partition
            first[partition] = min(seen, first.get(partition, seen))
    return max(first.values()) - since if partitions and len(first) == len(partitions) else None
