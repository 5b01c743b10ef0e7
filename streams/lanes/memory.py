"""A broker in memory, for tests: topics, committed offsets, transactions and fencing.

It follows Kafka's rules: only committed records are read, opening a writer fences its older owners, and a
commit is atomic.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from streams.lanes.start_offsets import StartOffset
from streams.lanes.transactional_writer import Fenced
from streams.records import MemoryRecord, Output, Partition, ReadPosition, Record


class MemoryBroker:
    """The shared state of a cluster: logs by partition, offsets by group, epochs by transactional id."""

    def __init__(self) -> None:
        self.logs: defaultdict[Partition, list[MemoryRecord]] = defaultdict(list)
        self.offsets: dict[tuple[str, Partition], int] = {}
        self.epochs: defaultdict[str, int] = defaultdict(int)

    def append(self, output: Output) -> int:
        """Write one record and return its offset."""
        at = Partition(output.topic, output.partition)
        log = self.logs[at]
        record = MemoryRecord(
            at.topic,
            at.partition,
            len(log),
            output.timestamp or 0,
            output.key,
            output.value,
            tuple(output.headers),
        )
        log.append(record)
        return record.offset

    def read(self, topic: str) -> list[MemoryRecord]:
        """Return all records of a topic, partition by partition."""
        return [record for at, log in sorted(self.logs.items()) if at.topic == topic for record in log]


class MemoryTransactionalWriter:
    """A writer in a `MemoryBroker`.

    Args:
        broker: The cluster.
        transactional_id: The lane's transactional id.
        group: The consumer group whose offsets are committed.
        fault: Called with "before" and "after" around the moment at which a commit takes effect. It may
            raise, so that a test can fail a commit or lose the answer to it.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        transactional_id: str,
        group: str,
        fault: Callable[[str], None] = lambda moment: None,
    ) -> None:
        self._broker = broker
        self._id = transactional_id
        self._group = group
        self._fault = fault
        self._epoch: int | None = None

    async def open(self) -> None:
        """Fence older owners."""
        self._broker.epochs[self._id] += 1
        self._epoch = self._broker.epochs[self._id]

    async def commit(
        self, outputs: Iterable[Output], offsets: Mapping[Partition, ReadPosition]
    ) -> dict[Partition, int]:
        """Write everything. Raises `Fenced`, and writes nothing, if a newer owner opened."""
        if self._epoch != self._broker.epochs[self._id]:
            raise Fenced(f"{self._id}: a newer owner took over")
        self._fault("before")
        ends: dict[Partition, int] = {}
        for output in outputs:
            ends[Partition(output.topic, output.partition)] = self._broker.append(output) + 1
        for at, position in offsets.items():
            self._broker.offsets[self._group, at] = position.offset
        self._fault("after")
        return ends

    async def close(self) -> None:
        """Forget the epoch."""
        self._epoch = None


class MemoryConsumer:
    """The consumer in a `MemoryBroker`; tests call `fetch`."""

    def __init__(self, broker: MemoryBroker, group: str) -> None:
        self._broker = broker
        self._group = group
        self.positions: dict[Partition, int] = {}
        self.epochs: dict[Partition, int] = {}

    async def start_offset(self, at: Partition, in_state: ReadPosition | None) -> StartOffset:
        """Return the later of the group's committed offset and the state's position, or 0."""
        committed = self._broker.offsets.get((self._group, at), 0)
        return StartOffset(max(committed, in_state.offset if in_state else 0))

    async def seek(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        """Fetch from these offsets on."""
        self.positions.update(offsets)
        self.epochs.update(dict.fromkeys(offsets, epoch))

    def fetch(self, at: Partition, most: int) -> tuple[Sequence[Record], int]:
        """Return up to `most` next records of a partition, and the epoch of the last seek before them."""
        position = self.positions.get(at, 0)
        records = self._broker.logs[at][position : position + most]
        self.positions[at] = position + len(records)
        return records, self.epochs.get(at, 0)


class MemoryReader:
    """Reads changelogs in a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker, chunk: int = 100) -> None:
        self._broker = broker
        self._chunk = chunk
        self._position = 0

    async def bounds(self, at: Partition) -> tuple[int, int]:
        """Return 0 and the log's length."""
        return 0, len(self._broker.logs[at])

    async def seek(self, at: Partition, offset: int) -> None:
        """Read from `offset` on."""
        self._position = offset

    async def poll(self, at: Partition) -> tuple[Sequence[Record], int]:
        """Return the next chunk and the position after it."""
        records = self._broker.logs[at][self._position : self._position + self._chunk]
        self._position += len(records)
        return records, self._position
