"""The records that wait in a lane: per input in offset order, each record at most once."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from streams.records import Partition, Record, size_of


class InputBatch(NamedTuple):
    """Records to process together.

    Attributes:
        at: The input.
        records: At least one record, in offset order.
        size: Bytes of the records.
    """

    at: Partition
    records: Sequence[Record]
    size: int


class RecordBuffer:
    """Fetched records that are cut into batches.

    Args:
        inputs: The lane's inputs in the order of their priority.
        batch_records: Records of a batch at most.
        batch_bytes: Bytes of a batch at most. A larger record is a batch alone.
    """

    def __init__(self, inputs: Iterable[Partition], batch_records: int, batch_bytes: int) -> None:
        self._queues: dict[Partition, deque[tuple[Sequence[Record], int]]] = {at: deque() for at in inputs}
        self._bytes: dict[Partition, int] = dict.fromkeys(self._queues, 0)
        self._accepted: dict[Partition, int] = dict.fromkeys(self._queues, 0)
        self._batch_records = batch_records
        self._batch_bytes = batch_bytes

    def __bool__(self) -> bool:
        """Whether any record waits."""
        return any(self._queues.values())

    @property
    def bytes(self) -> int:
        """Bytes of all waiting records."""
        return sum(self._bytes.values())

    @property
    def next_offsets(self) -> Mapping[Partition, int]:
        """The offset after the last accepted record of each input."""
        return self._accepted

    def bytes_of(self, at: Partition) -> int:
        """Return the bytes of one input's waiting records."""
        return self._bytes[at]

    def restart(self, offsets: Mapping[Partition, int]) -> None:
        """Drop all records, and accept records from these offsets on."""
        self.clear()
        self._accepted = dict(offsets)

    def clear(self) -> None:
        """Drop all records."""
        for queue in self._queues.values():
            queue.clear()
        self._bytes = dict.fromkeys(self._queues, 0)

    def offer(self, at: Partition, records: Sequence[Record]) -> bool:
        """Add records of one input.

        Args:
            at: The input.
            records: In offset order. Records that were accepted before are dropped.

        Returns:
            Whether any record was new.
        """
        next_offset = self._accepted[at]
        if records and records[0].offset < next_offset:
            records = [record for record in records if record.offset >= next_offset]
        if not records:
            return False
        self._accepted[at] = records[-1].offset + 1
        size = sum(map(size_of, records))
        self._queues[at].append((records, size))
        self._bytes[at] += size
        return True

    def take(self, most: int | None = None) -> InputBatch:
        """Remove and return the next batch, from the first input that has records.

        Args:
            most: Records of this batch at most, if that is less than of any batch.

        Raises:
            IndexError: The buffer is empty.
        """
        for at, queue in self._queues.items():
            if queue:
                return self._take(at, queue, min(self._batch_records, most or self._batch_records))
        raise IndexError("take from an empty record buffer")

    def _take(
        self, at: Partition, queue: deque[tuple[Sequence[Record], int]], batch_records: int
    ) -> InputBatch:
        taken: list[Record] = []
        size = 0
        while queue and len(taken) < batch_records and size < self._batch_bytes:
            head, head_size = queue.popleft()
            most, most_bytes = batch_records - len(taken), self._batch_bytes - size
            if len(head) <= most and head_size <= most_bytes:
                taken.extend(head)
                size += head_size
                continue
            count, cut_size = self._cut(head, 0 if taken else 1, most, most_bytes)
            taken.extend(head[:count])
            size += cut_size
            if count < len(head):
                queue.appendleft((head[count:], head_size - cut_size))
                break
        self._bytes[at] -= size
        return InputBatch(at, taken, size)

    @staticmethod
    def _cut(records: Sequence[Record], least: int, most: int, most_bytes: int) -> tuple[int, int]:
        """Return how many of the records fit, at least `least`, and their bytes."""
        size = 0
        for count, record in enumerate(records[:most]):
            more = size_of(record)
            if count >= least and size + more > most_bytes:
                return count, size
            size += more
        return min(len(records), most), size
