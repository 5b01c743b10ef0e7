"""The rules of the events that types cannot express. Each check returns None or raises `InvalidEvent`.

- The Kafka key, if there is one, is the id of the event's product or shopper in UTF-8, by which state is
  partitioned.
- A time without a zone is read as UTC. Every decoded time has the zone UTC.
- A behavior event has a time between the year 2000 and one day after the record's arrival. The rules of its
  ids are in `schemas.behavior_rules`.
- A listing needs a `title` unless it is withdrawn.
- Identifiers contain no control characters, and currencies are three capital letters.
"""

import re
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import force_setattr

from schemas.diagnosis import REPAIR, advice
from schemas.errors import InvalidEvent
from schemas.events import AffinityUpdated, EnrichmentReview, Event, ProductEnriched
from schemas.product_identity import qualified_id
from schemas.wrapping.recognition import wrapped_key

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""The earliest accepted time. Earlier times come from zeros, wrong units or wrong clocks."""
LATEST_AHEAD = timedelta(days=1)
"""How far an event time may be ahead of the record's arrival; it allows for a missing time zone."""

_LISTINGS = "product-created"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def set_utc(struct: msgspec.Struct, field: str) -> None:
    """Convert the time in a field to UTC, in place.

    Args:
        struct: A struct that nobody else refers to yet, since structs are immutable for their users.
        field: The name of a field that holds a time or None. A time without a zone is read as UTC.

    Raises:
        InvalidEvent: `invalid-time`: The time is outside the years 1 to 9999 in UTC.
    """
    time: datetime | None = getattr(struct, field)
    if time is None or time.tzinfo is UTC:
        return
    if time.tzinfo is None:
        force_setattr(struct, field, time.replace(tzinfo=UTC))
        return
    try:
        force_setattr(struct, field, time.astimezone(UTC))
    except OverflowError as error:
        raise InvalidEvent(
            "invalid-time",
            f"$.{field}: the time is outside the years 1 to 9999 when converted to UTC",
            f"$.{field}",
            REPAIR,
        ) from error


def implausible_time(occurred_at: datetime, received_at: datetime | None) -> InvalidEvent:
    """Return the error for a behavior event that is too old, or too far ahead of its arrival."""
    limit = (
        ""
        if received_at is None
        else f" to {(received_at + LATEST_AHEAD).isoformat()} (one day after the record's arrival)"
    )
    return InvalidEvent(
        "invalid-time",
        f"$.occurred_at: is {occurred_at.isoformat()}, but times from {EARLIEST.isoformat()}{limit} are "
        "accepted; check the producer's clock and its unit of time",
        "$.occurred_at",
        REPAIR,
    )


def check_identifiers(event: Event, *fields: str) -> None:
    """Raise InvalidEvent if any of `fields` contains a control character. Types check the lengths."""
    for field in fields:
        identifier: str | None = getattr(event, field)
        # isprintable is fast and false for more than control characters, so only those cases are searched.
        if identifier is not None and not identifier.isprintable() and _CONTROL.search(identifier):
            raise InvalidEvent(
                "invalid-field",
                f"$.{field}: contains a control character",
                f"$.{field}",
                advice(type(event)),
            )


def has_control_characters(text: str) -> bool:
    """Return whether a text contains a control character."""
    return _CONTROL.search(text) is not None


def check_key(event: Event, key: bytes | None, field: str) -> None:
    """Raise InvalidEvent if the key differs from the event's `field`; a record without a key passes."""
    if key is not None and key != getattr(event, field).encode():
        raise key_mismatch(type(event), field, key)


def check_product_key(event: ProductEnriched | EnrichmentReview | AffinityUpdated, key: bytes | None) -> None:
    """Raise InvalidEvent if the key is neither the event's product, nor its qualified id."""
    if key is not None and key not in (
        event.product_id.encode(),
        qualified_id(event.shop_id, event.product_id).encode(),
    ):
        raise key_mismatch(type(event), "product_id")


def key_mismatch(event: type[Event], field: str, key: bytes | None = None) -> InvalidEvent:
    """Return the error for a record key that differs from the event's `field`; it may be wrapped."""
    if (wrapped := wrapped_key(event.topic, key)) is not None:
        return wrapped
    return InvalidEvent(
        "key-mismatch",
        f"$.{field}: the record's key is not the {field} in UTF-8, so the record may be on a partition "
        "without the matching state",
        f"$.{field}",
        advice(event),
    )


def check_unknown_key(key: str) -> None:
    """Raise InvalidEvent if a tombstone's key that names no known product is a JSON object.

    Connectors write such keys, with the product's id in a field. The withdrawal of a product that was never
    listed is harmless, but here the producer means another product.
    """
    if (wrapped := wrapped_key(_LISTINGS, key.encode())) is not None:
        raise wrapped


def product_of_tombstone(key: bytes | None) -> str:
    """Return the id of the product that a tombstone withdraws.

    Args:
        key: The tombstone's key, or None if it has none.

    Raises:
        InvalidEvent: `invalid-key`: The key is not a product id in UTF-8. `confluent-key`: It is wrapped.
    """
    try:
        product_id = (key or b"").decode()
    except UnicodeDecodeError as error:
        raise wrapped_key(_LISTINGS, key) or InvalidEvent(
            "invalid-key", "the tombstone's key is not UTF-8; key the record by the product_id to withdraw"
        ) from error
    if not 1 <= len(product_id) <= 256 or _CONTROL.search(product_id):
        raise wrapped_key(_LISTINGS, key) or InvalidEvent(
            "invalid-key",
            "the tombstone's key must be a product_id (1 to 256 characters, no control characters), but it "
            f"has {len(product_id)} characters; key the record by the product_id to withdraw",
        )
    return product_id
