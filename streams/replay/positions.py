"""Positions in a topic as people write them: an offset, a time, or an end."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"-(\d+(?:\.\d+)?)([smhdw])")
_ENDS = {"start": -2, "earliest": -2, "beginning": -2, "end": -1, "latest": -1}

FORMS = "an offset (1200), a time (2025-03-01, 2025-03-01T08:00:00Z; UTC without a zone), -2h, start or end"


class Position(NamedTuple):
    """A place in each partition: `offset`, or `time_ms` (Unix milliseconds), or an end by `at_end`."""

    offset: int | None = None
    time_ms: int | None = None
    at_end: bool = False


START = Position()
END = Position(at_end=True)


def parse_position(text: str, now: datetime) -> Position | None:
    """Read a position.

    Args:
        text: one of `FORMS`; relative times have a unit of s, m, h, d or w.
        now: an aware time, what relative times are relative to.

    Returns:
        The position, or None if `text` is none.
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
    # Milliseconds by integers: a float would be off by one now and then.
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    return Position(time_ms=max(0, since // timedelta(milliseconds=1)))
