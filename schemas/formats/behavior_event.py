"""Builds user-behavior events: ids as text, empty fields left out, and an id that an import repeats."""

import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from schemas.events import Action, UserBehavior
from schemas.formats.row import Fields, ImportOptions, check_not_rounded, invalid_row

_ID_BYTES = 16
_IDS = ("product_id", "user_id", "anonymous_id", "session_id")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def behavior(
    action: Action,
    occurred_at: str | None,
    time_column: str,
    options: ImportOptions,
    *identity: Any,
    **fields: Any,
) -> tuple[str, Fields]:
    """Return topic and event of a shopper's action.

    Args:
        action: The action.
        occurred_at: Its time as the contract writes it, or None.
        time_column: The column of the time, for the error.
        options: Values that the file may not say.
        *identity: What tells this event from all others of its format, beginning with the format's name.
            Importing the same row again gives the same `event_id`, which the worker counts once.
        **fields: Fields of user-behavior. Those that are None or empty are left out, and ids of a shopper
            that are e-mail addresses.

    Raises:
        InvalidEvent: The time cannot be read, or an e-mail address is all that tells whose event it is.
    """
    if occurred_at is None:
        raise invalid_row(time_column, "is missing, or no time in the form of this format")
    event: Fields = {"occurred_at": occurred_at, "action": action.value, "event_id": row_id(*identity)}
    for name, value in fields.items():
        if value is not None and value not in ("", {}, []):
            event[name] = str(value) if name.endswith("_id") else value
    for name in _IDS:
        if name in event:
            check_not_rounded(name, event[name])
    _leave_out_emails(event)
    if options.shop_id is not None:
        event.setdefault("shop_id", options.shop_id)
    return UserBehavior.topic, event


def _leave_out_emails(event: Fields) -> None:
    """An address is personal data, and would stay in topics, state and keys."""
    emails = [name for name in ("user_id", "anonymous_id") if _EMAIL.fullmatch(event.get(name, ""))]
    for name in emails:
        del event[name]
    needed = ("user_id", "anonymous_id", "session_id")
    identifies = event["action"] == Action.IDENTIFY
    if emails and (identifies or not any(name in event for name in needed)):
        raise invalid_row(emails[0], "is an e-mail address; events need an id that is no personal data")


def row_id(*identity: Any) -> str:
    """Return 32 hexadecimal digits that depend on all parts: a BLAKE2b hash. Parts keep their borders."""
    parts = [str(part).encode("utf-8", "surrogatepass") for part in identity]
    joined = b"".join(b"%d:%s," % (len(part), part) for part in parts)
    return blake2b(joined, digest_size=_ID_BYTES).hexdigest()


def time_of_epoch(value: Any, per_second: int) -> str | None:
    """Return a time as the contract writes it, to the microsecond.

    Args:
        value: A count since 1970 as a number or digits.
        per_second: The count's units in a second: 1, 1,000 or 1,000,000.

    Returns:
        The time. None if `value` is no number, or outside the years 1 to 9999.
    """
    try:
        microseconds = (
            round(float(value) * 1_000_000) if per_second == 1 else int(value) * (1_000_000 // per_second)
        )
        seconds, rest = divmod(microseconds, 1_000_000)
        time = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return time.isoformat().replace("+00:00", "Z")


def currency_code(*candidates: Any) -> str | None:
    """Return the first text of three letters, in capitals; None if there is none."""
    for code in candidates:
        if isinstance(code, str) and len(code.strip()) == len("EUR"):
            return code.strip().upper()
    return None


def quantity(value: Any) -> float | int | None:
    """Return a quantity above zero, or None: the contract then counts one unit."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if not 0 < number < 2**31:
        return None
    return int(number) if number.is_integer() else number
