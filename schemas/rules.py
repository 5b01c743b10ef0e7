"""The rules of the events that types cannot say. Each check returns quietly or raises `InvalidEvent`.

- The Kafka key, where there is one, is the event's product (or shopper) in UTF-8: state is partitioned by it.
- A time without a zone is UTC. Every time that comes out has the zone UTC.
- Behaviour needs a `user_id` or a `session_id`, and a time from the year 2000 to a day after its arrival.
- A listing needs a `title` unless it is withdrawn.
- Identifiers hold no control characters, and currencies are three capital letters.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec
from msgspec.structs import force_setattr

from schemas.diagnosis import advice
from schemas.errors import InvalidEvent
from schemas.events import Event, Price
from schemas.fields import CURRENCY_PATTERN

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No web shop's log is older; earlier times are zeros, wrong units or wrong clocks."""
LATEST_AHEAD = timedelta(days=1)
"""How far a shopper's clock, or a forgotten time zone, may run ahead of the broker's."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CURRENCY = re.compile(CURRENCY_PATTERN)


def set_utc(holder: msgspec.Struct, field: str) -> None:
    """Give the time in `field` the zone UTC, in place: the struct is ours alone until it is returned."""
    time: datetime | None = getattr(holder, field)
    if time is None or time.tzinfo is UTC:
        return
    if time.tzinfo is None:
        force_setattr(holder, field, time.replace(tzinfo=UTC))
        return
    try:
        force_setattr(holder, field, time.astimezone(UTC))
    except OverflowError as error:
        raise InvalidEvent(
            "invalid-time",
            f"$.{field}: the time leaves the years 1 to 9999 when converted to UTC",
            f"$.{field}",
        ) from error


def implausible_time(occurred_at: datetime, received_at: datetime | None) -> InvalidEvent:
    """The refusal of behaviour that is too old, or too far ahead of its arrival."""
    limit = (
        ""
        if received_at is None
        else f" to {(received_at + LATEST_AHEAD).isoformat()}, a day after it arrived"
    )
    return InvalidEvent(
        "invalid-time",
        f"$.occurred_at is {occurred_at.isoformat()}; behaviour is taken from {EARLIEST.isoformat()}{limit}. "
        "Check the producer's clock and its unit of time",
        "$.occurred_at",
    )


def check_identifiers(event: Event, *fields: str) -> None:
    """Refuse a control character in any of `fields`, whose lengths the types have checked."""
    for field in fields:
        identifier: str | None = getattr(event, field)
        # isprintable is quick and refuses more than control characters: only what it refuses is searched.
        if identifier is not None and not identifier.isprintable() and _CONTROL.search(identifier):
            raise InvalidEvent(
                "invalid-field", f"$.{field}: holds a control character; {advice(type(event))}", f"$.{field}"
            )


@lru_cache(maxsize=1024)
def _is_currency(code: str) -> bool:
    return _CURRENCY.fullmatch(code) is not None


def check_price(event: Event, price: Price) -> None:
    """Refuse a currency that cannot be an ISO 4217 code."""
    if not _is_currency(price.currency):
        raise InvalidEvent(
            "invalid-field",
            f"$.price.currency: not three capital letters (ISO 4217); {advice(type(event))}",
            "$.price.currency",
        )


def check_key(event: Event, key: bytes | None, field: str) -> None:
    """Refuse a key that is not the event's `field`; a record without a key passes."""
    if key is not None and key != getattr(event, field).encode():
        raise key_mismatch(type(event), field)


def key_mismatch(event: type[Event], field: str) -> InvalidEvent:
    """The refusal of a key that is not the event's `field`."""
    return InvalidEvent(
        "key-mismatch",
        f"the record's key is not its {field} in UTF-8, so it may lie on another partition than the rest of "
        f"what belongs to it; {advice(event)}",
        f"$.{field}",
    )


def product_of_tombstone(key: bytes | None) -> str:
    """The product that a tombstone withdraws; raises InvalidEvent if the key cannot name one."""
    try:
        product_id = (key or b"").decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent("invalid-key", "a tombstone's key is not UTF-8, so it names no product") from error
    if not 1 <= len(product_id) <= 256 or _CONTROL.search(product_id):
        raise InvalidEvent(
            "invalid-key",
            "a tombstone's key must be a product_id (1 to 256 characters, no control characters), and it has "
            f"{len(product_id)} characters; key the record by the product to withdraw",
        )
    return product_id
