"""Conversions of mapping files: values of other systems as the contract writes them."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from schemas.errors import InvalidFile
from schemas.formats.behavior_event import time_of_epoch
from schemas.formats.listing import availability
from schemas.formats.values import gtin, plain_text, price, split_path, utc_time

Conversion = Callable[[Any], Any]
"""Returns the value for the contract, or None to leave the field out. Raises ValueError if it cannot."""

_EPOCHS = {"seconds": 1, "milliseconds": 1000, "microseconds": 1_000_000}


def _epoch(value: Any, per_second: int) -> str:
    time = time_of_epoch(value, per_second)
    if time is None:
        raise ValueError("it is no count since 1970")
    return time


def _time(value: Any) -> str:
    time = utc_time(value.removesuffix(" UTC") if isinstance(value, str) else value)
    if time is None:
        raise ValueError('it is no time in ISO 8601; name its form, such as "%d.%m.%Y %H:%M"')
    return time


def _time_of_form(value: Any, form: str) -> str:
    time = datetime.strptime(str(value), form)
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isoformat().replace("+00:00", "Z")


def _number(value: Any) -> float | int:
    """A number, also one with a decimal comma."""
    if isinstance(value, int | float):
        return value
    text = str(value).strip()
    if "," in text and "." not in text:
        text = text.replace(",", ".")
    number = float(text)
    return int(number) if number.is_integer() else number


def _identifier(value: Any) -> str | None:
    """An id as text; 0 and empty text are nobody's."""
    text = str(value).strip()
    return None if text in ("", "0") else text


def _words(value: Any) -> list[str]:
    """A list of texts; one text is split at commas."""
    parts = value if isinstance(value, list) else str(value).split(",")
    return [str(part).strip() for part in parts if str(part).strip()]


CONVERSIONS: dict[str, Conversion] = {
    **{name: partial(_epoch, per_second=count) for name, count in _EPOCHS.items()},
    "time": _time,
    "number": _number,
    "text": lambda value: str(value).strip(),
    "identifier": _identifier,
    "list": _words,
    "html": plain_text,
    "path": lambda value: split_path(" > ".join(value) if isinstance(value, list) else str(value)),
    "price": price,
    "gtin": gtin,
    "availability": lambda value: availability(str(value)),
}
"""By name. A form of `datetime.strptime` (with %) and `price CODE` are conversions too."""


def conversion(field: str, name: Any) -> Conversion:
    """Return the conversion that a mapping names for a field.

    Raises:
        InvalidFile: There is no such conversion.
    """
    if isinstance(name, str):
        if name in CONVERSIONS:
            return CONVERSIONS[name]
        if "%" in name:
            return partial(_time_of_form, form=name)
        word, _, currency = name.partition(" ")
        if word == "price" and len(currency) == len("EUR"):
            return partial(price, currency=currency.upper())
    raise InvalidFile(
        f"[convert] of `{field}`: {name!r} is none of {', '.join(CONVERSIONS)}, `price EUR`, or a form of "
        'time such as "%d.%m.%Y %H:%M"'
    )
