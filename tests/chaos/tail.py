"""Readers of committed outputs: one that notes when things arrive, one that reads what there is."""

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress

from confluent_kafka import KafkaException, Message

from tests.chaos.feed import Receipt
from tests.support.committed import committed_reader, committed_records

MarkOf = Callable[[Message], Hashable]


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
    """Notes when each input's output was first seen by a read_committed reader."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, mark_of: MarkOf) -> None:
        super().__init__(daemon=True)
        self._consumer = committed_reader(bootstrap, topic, [0] * partitions)
        self._mark_of = mark_of
        self._end = threading.Event()
        self.arrivals: dict[Hashable, float] = {}

    def run(self) -> None:
        """Read until told to stop."""
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
    mark: Callable[[Receipt], Hashable],
) -> float | None:
    """Seconds from `since` until every partition has given out an input that was written after it.

    Args:
        since: the moment (monotonic) when the fault was over, or struck where it does not end.
        receipts: what was fed and leads to outputs.
        arrivals: when each input's output was seen, by its mark.
        mark: an input's mark.

    Returns:
        None where some partition gave out nothing anymore, or got nothing.
    """
    first: dict[int, float] = {}
    partitions = set()
    for receipt in receipts:
        partitions.add(receipt.place.partition)
        if receipt.sent_at >= since and (seen := arrivals.get(mark(receipt))) is not None:
            partition = receipt.place.partition
            first[partition] = min(seen, first.get(partition, seen))
    return max(first.values()) - since if partitions and len(first) == len(partitions) else None
