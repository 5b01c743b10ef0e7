"""Positions in a topic as command options give them: an offset, a time, or an end of the topic."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from schemas.errors import StopWorker

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"-(\d+(?:\.\d+)?)([smhdw])")
_OF_PARTITION = re.compile(r"(\d{1,9}):(.+)", re.ASCII)
_ENDS = {"start": -2, "earliest": -2, "beginning": -2, "end": -1, "latest": -1}

FORMS = "an offset (1200), a time (2025-03-01, 2025-03-01T08:00:00Z; UTC without a zone), -2h, start or end"


class Position(NamedTuple):
    """A position in every partition of a topic.

    Attributes:
        offset: The same offset in every partition; None if the position is no offset.
        time_ms: The first record at or after this time, in Unix milliseconds; None if it is no time.
        at_end: Whether it is the end of every partition. Without offset, time and end it is the start.
    """

    offset: int | None = None
    time_ms: int | None = None
    at_end: bool = False


START = Position()
END = Position(at_end=True)


def parse_position(text: str, now: datetime) -> Position | None:
    """Parse a position.

    Args:
        text: One of `FORMS`. Relative times have the unit s, m, h, d or w.
        now: Time that relative times count from. It has a time zone.

    Returns:
        The position, or None if `text` has none of the forms.
    """
    text = text.strip()
    if text in _ENDS:
        return END if _ENDS[text] == -1 else START
    if text.isascii() and text.isdigit():
        return Position(offset=int(text)) if int(text) < 1 << 63 else None
    relative = _RELATIVE.fullmatch(text)
    try:
        if relative:
            time = now - timedelta(**{_UNITS[relative[2]]: float(relative[1])})
        else:
            time = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    # Integer arithmetic: a float would sometimes be off by one millisecond.
    since_epoch = time - datetime(1970, 1, 1, tzinfo=UTC)
    return Position(time_ms=max(0, since_epoch // timedelta(milliseconds=1)))


class PartitionPosition(NamedTuple):
    """A position that a command option gave: for one partition, or for all.

    Attributes:
        position: The position.
        partition: Its partition; None for every partition.
    """

    position: Position
    partition: int | None = None


class Positions(NamedTuple):
    """A position for each partition of a topic.

    Attributes:
        general: Position in every partition that has none of its own; None to leave those partitions out.
        by_partition: Positions of single partitions.
    """

    general: Position | None
    by_partition: Mapping[int, Position] = MappingProxyType({})

    def of(self, partition: int) -> Position | None:
        """Return the position in a partition; None if the partition is left out."""
        return self.by_partition.get(partition, self.general)


def parse_partition_position(text: str, now: datetime) -> PartitionPosition | None:
    """Parse a position, or `PARTITION:POSITION` for one partition.

    Args:
        text: Text such as `-2h`, `0:1200` or `1:2025-03-01T08:00`.
        now: Time that relative times count from. It has a time zone.

    Returns:
        The position, or None if `text` has none of the forms.
    """
    match = _OF_PARTITION.fullmatch(text.strip())
    position = parse_position(match[2] if match else text, now)
    return None if position is None else PartitionPosition(position, int(match[1]) if match else None)


def merge_positions(
    given: Iterable[PartitionPosition], option: str, default: Position | None = None
) -> Positions:
    """Merge the values of one option.

    Args:
        given: Values in any order.
        option: Name of the option, for the error message.
        default: Position of the partitions that no value covers; None to leave them out.

    Raises:
        StopWorker: Two values are for the same partition, or two for every partition.
    """
    by_partition: dict[int | None, Position] = {}
    for each in given:
        if each.partition in by_partition:
            where = "every partition" if each.partition is None else f"partition {each.partition}"
            raise StopWorker(f"{option} was given twice for {where}: leave one of them out")
        by_partition[each.partition] = each.position
    general = by_partition.pop(None, default)
    return Positions(general, {each: position for each, position in by_partition.items() if each is not None})
