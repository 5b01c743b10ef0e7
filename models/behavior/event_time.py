"""Converts event times between datetimes and seconds, the unit of decay."""

from datetime import UTC, datetime

EARLIEST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
"""The earliest time of a datetime, in seconds since 1970."""
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
"""The latest time of a datetime, in seconds since 1970."""


def seconds(time: datetime) -> float:
    """Return the seconds since 1970-01-01T00:00:00Z of a timezone-aware time."""
    return time.timestamp()


def instant(time: float) -> datetime:
    """Return the UTC datetime of a time in seconds since 1970, clipped to the years 1 to 9999."""
    return datetime.fromtimestamp(min(max(time, EARLIEST), LATEST), UTC)
