"""Positions in a topic as command options give them: an offset, a time, or an end of the topic."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"-(\d+(?:\.\d+)?)([smhdw])")
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
