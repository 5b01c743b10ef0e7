"""Erased shoppers: what occurred before a request is forgotten, and stays forgotten when it is read again.

A mark in the table of shoppers says that a shopper was erased, and up to when. Its key is a digest of the
shopper's id, so that no row has the id. Marks stay for ever: a replay may repeat events of any age.
"""

from datetime import UTC, datetime
from typing import ClassVar, Self

from models.behavior.sessions import ShopperRow
from schemas.erasure import ErasureRequest, shopper_digest
from schemas.events import UserBehavior
from schemas.rules import LATEST_AHEAD
from streams.agents.counted_offsets import CountedOffsets
from streams.agents.marks import Mark, marked
from streams.agents.unlabeled_mark import UnlabeledMark
from streams.provenance import is_repeated, source_of
from streams.records import Record
from streams.state.tables import Table, TableSpec

_MARK_KEY = b"\x00shelfstream.erased\x00"
"""The first bytes of the key of a mark. No shopper's id has control characters."""


class ErasureMark(Mark, frozen=True):
    """Up to when a shopper was erased.

    Attributes:
        until_ms: The time of the request, in milliseconds since 1970.
        topic: The topic in which the request was first written.
        partition: Its partition.
        offset: Its offset.
    """

    version: ClassVar[int] = 2
    meaning: ClassVar[str] = "the mark of an erased shopper"
    until_ms: int
    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, request: ErasureRequest, record: Record) -> Self:
        """Return the mark of a request and its record."""
        source = source_of(record)
        until_ms = int(request.requested_at.timestamp() * 1000)
        return cls(until_ms, source.topic, source.partition, source.offset)

    def precedes(self, record: Record) -> bool:
        """Return whether the request was first written before a record, or in another partition."""
        source = source_of(record)
        same = (source.topic, source.partition) == (self.topic, self.partition)
        return not same or self.offset <= source.offset

    def covers(self, record: Record, occurred_at: datetime) -> bool:
        """Return whether an event is erased: it occurred before the request, or was written before it.

        The position decides for clocks that are ahead. They are at most a day ahead, so that events of a
        topic that was created again, whose offsets are low, are not covered for ever.
        """
        until = datetime.fromtimestamp(self.until_ms / 1000, UTC)
        if occurred_at <= until:
            return True
        return not self.precedes(record) and occurred_at <= until + LATEST_AHEAD


ShopperTableRow = ShopperRow | ErasureMark | UnlabeledMark | CountedOffsets
"""A row of the table of shoppers: that of a shopper, a mark, or that of the counted offsets."""

_MARKS: dict[bytes, type[ErasureMark] | type[UnlabeledMark] | type[CountedOffsets]] = {
    bytes((kind.version,)): kind for kind in (ErasureMark, UnlabeledMark, CountedOffsets)
}


def shoppers_table(changelog: str) -> TableSpec[ShopperTableRow]:
    """Describe the table of shoppers. Its rows are kept in the topic `changelog`."""
    return TableSpec("shoppers", changelog, _encode, _decode)


def _encode(row: ShopperTableRow) -> bytes:
    return row.to_bytes()


def _decode(data: bytes) -> ShopperTableRow:
    mark = _MARKS.get(data[:1])
    return ShopperRow.from_bytes(data) if mark is None else mark.from_bytes(data)


class ErasedShoppers:
    """The erased shoppers of a lane's table.

    The digests are in memory, so that a shopper who was not erased costs no look into the table. After a
    rollback there may be too many of them; the table decides.

    Args:
        table: The table of shoppers.
    """

    def __init__(self, table: Table[ShopperTableRow]) -> None:
        self._digests = set(marked(table, _MARK_KEY))

    def erase(self, table: Table[ShopperTableRow], request: ErasureRequest, record: Record) -> bool:
        """Stage the mark of a request.

        Returns:
            False if a replay or a redrive repeats a request that was carried out before, or an older one. The
            shopper may have come back since.
        """
        digest = shopper_digest(request.shopper)
        mark = ErasureMark.of(request, record)
        known = self._mark(table, digest)
        if known is not None and is_repeated(record) and mark.until_ms <= known.until_ms:
            return False
        if known is None or mark.until_ms >= known.until_ms:
            table.put(_MARK_KEY + digest, mark)
        self._digests.add(digest)
        return True

    def cover(
        self, table: Table[ShopperTableRow], shopper: str, record: Record, event: UserBehavior | None
    ) -> bool:
        """Return whether the shopper was erased after a record, so that it must be ignored.

        Args:
            table: The table of shoppers.
            shopper: The shopper's id.
            record: The record.
            event: Its event; None if it is invalid. Then its position decides.
        """
        if not self._digests:
            return False
        mark = self._mark(table, shopper_digest(shopper))
        if mark is None:
            return False
        return not mark.precedes(record) if event is None else mark.covers(record, event.occurred_at)

    def until(self, table: Table[ShopperTableRow], shopper: str) -> float | None:
        """Return up to when a shopper was erased, in seconds since 1970; None if that never was."""
        mark = self._mark(table, shopper_digest(shopper))
        return None if mark is None else mark.until_ms / 1000

    def _mark(self, table: Table[ShopperTableRow], digest: bytes) -> ErasureMark | None:
        if digest not in self._digests:
            return None
        mark = table.get(_MARK_KEY + digest)
        return mark if isinstance(mark, ErasureMark) else None
