"""Event times as seconds, which is what decay computes with."""

from datetime import UTC, datetime

EARLIEST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def seconds(time: datetime) -> float:
    """The seconds from 1970-01-01T00:00:00Z to `time`, which must be timezone-aware."""
    return time.timestamp()


def instant(time: float) -> datetime:
    """The UTC datetime of `time` seconds; what lies outside of years 1 to 9999 becomes their border."""
    return datetime.fromtimestamp(min(max(time, EARLIEST), LATEST), UTC)
