"""The batch that an agent's loop gets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar, overload

from schemas.errors import InvalidEvent
from schemas.keys import partition_for
from streams.lanes.typed_topic import Topic
from streams.records import Headers, Output, Record
from streams.state.tables import Table, Tables, TableSpec

T = TypeVar("T")
V = TypeVar("V")

_NO_TABLES = Tables([], 0)


class DeadLetters(Protocol):
    """Builds dead letters."""

    def __call__(self, record: Record, error: Exception, stage: str) -> Output:
        """Return the dead letter of a record that failed with `error` in `stage`."""
        ...


class Batch:
    """Records of one topic and partition, in offset order, that commit together. Iteration yields them.

    A batch is empty, and takes no more outputs, after the loop has asked for the next one.

    Args:
        records: At least one record.
        tables: The tables of the same partition.
        partitions: The number of partitions of every topic.
        dead_letters: Builds dead letters.
    """

    __slots__ = ("_append", "_dead_letters", "_partitions", "_tables", "outputs", "records")

    def __init__(
        self, records: Sequence[Record], tables: Tables, partitions: int, dead_letters: DeadLetters
    ) -> None:
        self.records = records
        self.outputs: list[Output] = []
        self._append: Callable[[Output], None] = self.outputs.append
        self._tables = tables
        self._partitions = partitions
        self._dead_letters = dead_letters

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @property
    def topic(self) -> str:
        """The topic of all records."""
        return self.records[0].topic

    @property
    def partition(self) -> int:
        """The partition of all records, and of the tables."""
        return self.records[0].partition

    def table(self, spec: TableSpec[V]) -> Table[V]:
        """Return this partition's part of a table of the agent.

        Raises:
            KeyError: The agent does not list the table.
        """
        return self._tables.of(spec)

    def items(self, topic: Topic[T]) -> Iterator[tuple[Record, T]]:
        """Yield each record with its decoded value. A record that does not decode becomes a dead letter."""
        for record in self.records:
            try:
                value = topic.decode(record.value)
            except InvalidEvent as error:
                self.dead_letter(record, error, "decode")
            else:
                yield record, value

    @overload
    def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        partition: int | None = None,
        headers: Headers = (),
        timestamp: int | None = None,
    ) -> None: ...

    @overload
    def send(
        self,
        topic: Topic[T],
        *,
        key: bytes | None,
        value: T | None,
        partition: int | None = None,
        headers: Headers = (),
        timestamp: int | None = None,
    ) -> None: ...

    def send(
        self,
        topic: Any,
        *,
        key: bytes | None,
        value: Any,
        partition: int | None = None,
        headers: Headers = (),
        timestamp: int | None = None,
    ) -> None:
        """Write a record when the batch commits.

        Args:
            topic: A topic's name, or a typed topic, which encodes the value.
            key: The key.
            value: The value; None is a tombstone.
            partition: The partition. If None, that of the key by murmur2, or the batch's if there is no key.
            headers: Names and values.
            timestamp: Milliseconds since 1970; None lets the client set the time.

        Raises:
            RuntimeError: The loop has asked for the next batch already.
        """
        if type(topic) is not str:
            value = None if value is None else topic.encode(value)
            topic = topic.name
        if partition is None:
            partition = self.partition if key is None else partition_for(key, self._partitions)
        self._append(Output(topic, partition, key, value, headers, timestamp))

    def send_outputs(self, outputs: Iterable[Output]) -> None:
        """Write records that are already built. Raises as `send` does."""
        for output in outputs:
            self._append(output)

    def dead_letter(self, record: Record, error: Exception, stage: str = "process") -> None:
        """Write a record of this batch to the dead letters, with the reason.

        Args:
            record: The record; its original bytes are kept.
            error: Why it cannot be processed.
            stage: The step that failed.
        """
        self._append(self._dead_letters(record, error, stage))

    def end(self) -> list[Output]:
        """Return the outputs, drop the records, and let later writes raise. The lane calls this."""
        outputs, self.outputs = self.outputs, []
        # The suspended loop still refers to its batch. It must keep neither records nor tables alive.
        self.records = ()
        self._tables = _NO_TABLES
        self._append = _reject
        return outputs


def _reject(output: Output) -> None:
    raise RuntimeError(f"the batch has ended: this output for {output.topic} would not commit with it")
