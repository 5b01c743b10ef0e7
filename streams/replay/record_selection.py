"""Which records of a range a replay writes: those of some keys, or the newest of each key."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streams.records import MemoryRecord


class RecordSelection(NamedTuple):
    """Selects records of a range.

    Attributes:
        keys: Keys whose records are selected; None for all. Records without a key have none of them.
        newest: Partition and offset of the only selected record of each key; None for all records. Records
            without a key are selected.
    """

    keys: frozenset[bytes] | None = None
    newest: Mapping[bytes, tuple[int, int]] | None = None

    def selects(self, record: MemoryRecord) -> bool:
        """Return whether the record is selected."""
        key = record.key
        if self.keys is not None and key not in self.keys:
            return False
        if self.newest is None or key is None:
            return True
        return self.newest.get(key) == (record.partition, record.offset)


ALL_RECORDS = RecordSelection()


class NewestRecords:
    """Finds the newest record of each key.

    Within a partition the highest offset is the newest, and between partitions the highest timestamp. It
    keeps one entry per key and partition.
    """

    def __init__(self) -> None:
        self._by_partition: dict[int, dict[bytes, tuple[int, int]]] = {}

    def add(self, records: Iterable[MemoryRecord]) -> None:
        """Add records, those of one partition in offset order."""
        for record in records:
            if record.key is not None:
                newest = self._by_partition.setdefault(record.partition, {})
                newest[record.key] = (record.offset, record.timestamp)

    def positions(self) -> dict[bytes, tuple[int, int]]:
        """Return partition and offset of the newest record of each key."""
        positions: dict[bytes, tuple[int, int]] = {}
        times: dict[bytes, int] = {}
        for partition, newest in sorted(self._by_partition.items()):
            for key, (offset, timestamp) in newest.items():
                if key not in positions or timestamp >= times[key]:
                    positions[key], times[key] = (partition, offset), timestamp
        return positions


def parse_keys(lines: Iterable[str]) -> frozenset[bytes]:
    """Read keys, one per line, encoded as UTF-8. Spaces around them and empty lines are ignored."""
    return frozenset(key.encode() for line in lines if (key := line.strip()))
