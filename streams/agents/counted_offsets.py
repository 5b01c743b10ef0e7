"""The offsets of user-behavior that the rows of shoppers have counted: a replay counts none of them again.

They are a row of the table of shoppers, which commits with what they added. A copy that `shelfstream replay`
writes names the position of its original. If that is among them, the original was counted, or became a dead
letter.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any, ClassVar

from streams.agents.marks import Mark
from streams.provenance import replayed_from
from streams.records import Record
from streams.state.tables import POSITIONS_KEY, Table

_KEY = b"\x00shelfstream.counted"
"""The key of the row. No shopper's id has control characters."""


class CountedOffsets(Mark, frozen=True):
    """The counted offsets of the lane's partition of user-behavior.

    Attributes:
        first: The first counted offset.
        end: The offset after the last one; equal to `first` if none is counted.
    """

    version: ClassVar[int] = 4
    meaning: ClassVar[str] = "the row of the counted offsets"
    first: int = 0
    end: int = 0

    def including(self, records: Sequence[Record]) -> "CountedOffsets":
        """Return the offsets with those of the next batch.

        A lane reads forward. If offsets begin lower than the counted ones end, the topic was created again or
        lost its end, and what was counted has other records now.
        """
        begin, end = records[0].offset, records[-1].offset + 1
        if self.first == self.end or begin < self.end:
            return CountedOffsets(begin, end)
        return CountedOffsets(self.first, end)

    def has_original(self, record: Record) -> bool:
        """Return whether a record is a replay's copy of a counted record of the same partition."""
        origin = replayed_from(record)
        return (
            origin is not None
            and (origin.topic, origin.partition) == (record.topic, record.partition)
            # A copy lies behind its original.
            and self.first <= origin.offset < record.offset
        )


def stage_none(table: Table[Any]) -> None:
    """Stage that an empty table has counted nothing, before messages of other lanes make rows in it."""
    if _counted_offsets(table) == CountedOffsets():
        table.put(_KEY, CountedOffsets())


def stage_counted(table: Table[Any], records: Sequence[Record]) -> CountedOffsets:
    """Stage the counted offsets with those of a batch of user-behavior, and return them.

    The rows of a release that did not keep them have counted all offsets below the batch.
    """
    known = _counted_offsets(table)
    counted = (CountedOffsets(0, records[0].offset) if known is None else known).including(records)
    table.put(_KEY, counted)
    return counted


def _counted_offsets(table: Table[Any]) -> CountedOffsets | None:
    """Return the counted offsets of a table; None if it has rows of a release that did not keep them."""
    known = table.get(_KEY)
    if isinstance(known, CountedOffsets):
        return known
    has_rows = any(key != POSITIONS_KEY for key, _ in islice(table.store.items(), 2))
    return None if has_rows else CountedOffsets()
