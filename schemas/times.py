"""The forms in which a time is read, beside the RFC 3339 that is written."""

import re
from datetime import UTC, datetime, timedelta

_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = "(?:0[1-9]|1[0-2])"
_WEEK = "W(?:0[1-9]|[1-4][0-9]|5[0-3])"
_YEAR = "(?!0000)[0-9]{4}"
_HOUR = "(?:[01][0-9]|2[0-3])"
_SIXTY = "[0-5][0-9]"
_DATE = f"(?:{_YEAR}-{_MONTH}-{_DAY}|{_YEAR}{_MONTH}{_DAY}|{_YEAR}-{_WEEK}-[1-7]|{_YEAR}{_WEEK}[1-7])"
_FRACTION = "(?:[.,][0-9]+)?"
_CLOCK = f"{_HOUR}(?::{_SIXTY}(?::{_SIXTY}{_FRACTION})?|{_SIXTY}(?:{_SIXTY}{_FRACTION})?)?"
_ZONE = f"(?: ?(?:[Zz]|UTC|GMT|[+-]{_HOUR}(?::?{_SIXTY})?))?"
_EPOCH = "1[0-9]{9}(?:[0-9]{3}){0,2}"
BLANKS = "[ \\t\\r\\n]*"
"""Blanks that a text may have around it."""

RFC_3339_PATTERN = (
    f"^{_YEAR}-{_MONTH}-{_DAY}[Tt ]{_HOUR}:{_SIXTY}:{_SIXTY}(?:\\.[0-9]+)?(?:[Zz]|[+-]{_HOUR}:{_SIXTY})$"
)
"""What RFC 3339 allows, but leap seconds. It is a part of the JSON Schemas."""
TIME_PATTERN = f"^{BLANKS}(?:{_DATE}[Tt ]{_CLOCK}{_ZONE}|{_EPOCH}){BLANKS}$"
"""All texts that are read as times, but for days that their month does not have."""
SECONDS = (1_000_000_000, 2_000_000_000)
"""The numbers that are seconds since 1970: from September 2001 to May 2033, both with ten digits."""
UNITS = (1, 1_000, 1_000_000)
"""Seconds, milliseconds and microseconds: how many there are in a second."""

TIME_ADVICE = (
    "write a time as 2024-05-01T12:30:00Z; other forms of ISO 8601 with date and time are read too, "
    "`2024-05-01 12:30:00 UTC`, and seconds, milliseconds or microseconds since 1970 with 10, 13 or 16 "
    "digits that begin with 1"
)
"""What a rejected time should look like."""

_TIME = re.compile(TIME_PATTERN)
_EPOCH_DIGITS = re.compile(_EPOCH)
_NAMED_UTC = re.compile(" ?(?:Z|UTC|GMT)$")
_START = datetime(1970, 1, 1, tzinfo=UTC)


def read_time(value: object) -> datetime:
    """Read a time in any of the accepted forms.

    Args:
        value: A text, or a number of seconds, milliseconds or microseconds since 1970. Its magnitude decides
            which. A time without a zone is in UTC.

    Returns:
        The time in UTC.

    Raises:
        ValueError: The value is no time; the message says what to write.
    """
    if isinstance(value, str) and _TIME.fullmatch(value):
        text = value.strip()
        if _EPOCH_DIGITS.fullmatch(text):
            return _since_1970(int(text))
        return _calendar_time(text.upper())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _since_1970(value)
    raise ValueError(TIME_ADVICE)


def _since_1970(value: float) -> datetime:
    for per_second in UNITS:
        if SECONDS[0] * per_second <= value < SECONDS[1] * per_second:
            return _START + timedelta(microseconds=round(value * (UNITS[-1] // per_second)))
    raise ValueError(TIME_ADVICE)


def _calendar_time(text: str) -> datetime:
    text = _NAMED_UTC.sub("+00:00", text).replace(" +", "+").replace(" -", "-")
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"there is no such time; {TIME_ADVICE}") from error
