"""Records: partitions, records that were read from Kafka, and outputs to write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

Headers = Sequence[tuple[str, bytes]]


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """A position up to which an input was processed.

    Attributes:
        offset: The next offset to read.
        topic_id: The id of the topic at that time, or empty if it was not known.
    """

    offset: int
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class InputLog:
    """An input as its broker has it now.

    Attributes:
        first: The first offset that is kept.
        end: The offset after the last record.
        topic_id: The topic's id, or empty where the broker does not tell.
    """

    first: int
    end: int
    topic_id: str = ""


class Record(Protocol):
    """A record as read from Kafka. `timestamp` is in milliseconds since 1970."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Headers: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A record that does not come from Kafka, but from an offline command or a test."""

    topic: str
    partition: int
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to write.

    The garbage collector does not track outputs: they are many and short-lived, and they form no cycles.

    Attributes:
        topic: Topic.
        partition: Partition of the topic.
        key: Key in bytes, or None.
        value: Value in bytes; None is a tombstone.
        headers: Names and values.
        timestamp: Milliseconds since 1970; None lets the client set the time.
        summary: One word about the value for observers, such as the outcome of a decision. It is not written.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None
    summary: str | None = None

    @property
    def size(self) -> int:
        """Bytes of key, value and headers, and an allowance of 64 bytes for the record's framing."""
        size = 64 + len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:
            # A moved record keeps its original headers, and Kafka allows null values in them.
            size += len(name) + len(value or b"") + 4
        return size


RECORD_BYTES = 256
"""Bytes of memory that a record takes beside its key, value and headers."""


def size_of(record: Record) -> int:
    """Return the memory of a record in bytes: key, value and headers, and `RECORD_BYTES`."""
    size = RECORD_BYTES + len(record.key or b"") + len(record.value or b"")
    if record.headers:
        for name, value in record.headers:
            size += len(name) + len(value or b"")
    return size
