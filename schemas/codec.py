"""Bytes to events and back. Every value that comes in is checked here, once; every error is an InvalidEvent.

Decoders are built once for each type. What passes is cheap (about 1 µs for a behaviour event of 300 bytes);
what fails is looked at again by `schemas.diagnosis`, which may take its time. The rules beyond the types are
in `schemas.rules`. Unknown fields are skipped unread, so they need only be well-formed enough to find their
end. An empty title is allowed: the model abstains by itself.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from schemas.diagnosis import advice, diagnose
from schemas.errors import InvalidEvent
from schemas.events import (
    AffinityUpdated,
    CategoryFeedback,
    Change,
    EnrichmentReview,
    Event,
    ProductCreated,
    ProductEnriched,
    ShopperUpdated,
    UserBehavior,
    Verdict,
)
from schemas.rules import (
    EARLIEST,
    LATEST_AHEAD,
    check_identifiers,
    check_key,
    check_price,
    implausible_time,
    key_mismatch,
    product_of_tombstone,
    set_utc,
)

E = TypeVar("E", bound=Event)


class _Titled(msgspec.Struct):
    """Tells an empty title from none."""

    title: str | msgspec.UnsetType = msgspec.UNSET


# What msgspec raises on bytes that it cannot read: its own errors and UnicodeDecodeError are ValueErrors,
# nesting beyond the interpreter's limit is a RecursionError, and None instead of bytes is a TypeError.
_UNREADABLE = (ValueError, RecursionError, TypeError)

_PRODUCT_CREATED = msgspec.json.Decoder(ProductCreated)
_USER_BEHAVIOR = msgspec.json.Decoder(UserBehavior)
_PRODUCT_ENRICHED = msgspec.json.Decoder(ProductEnriched)
_ENRICHMENT_REVIEW = msgspec.json.Decoder(EnrichmentReview)
_CATEGORY_FEEDBACK = msgspec.json.Decoder(CategoryFeedback)
_AFFINITY_UPDATED = msgspec.json.Decoder(AffinityUpdated)
_SHOPPER_UPDATED = msgspec.json.Decoder(ShopperUpdated)
_TITLED = msgspec.json.Decoder(_Titled)
_FIELDS = msgspec.json.Decoder(dict[str, Any])
_ENCODER = msgspec.json.Encoder()


def encode(event: Event) -> bytes:
    """Write `event` as UTF-8 JSON: every field, in the contract's order, times as RFC 3339 with `Z`.

    Optional fields are written too, as null or empty: a consumer finds the same shape in every record.

    Args:
        event: an event whose times are in UTC.

    Returns:
        The Kafka value.
    """
    return _ENCODER.encode(event)


def decode_product_created(value: bytes | None, key: bytes | None = None) -> ProductCreated:
    """Read a `product-created` record; `{"product_id", "title"}` alone is enough.

    Args:
        value: the record's value. None, a tombstone, reads as the withdrawal of the product named by `key`.
        key: the record's key, or None if it has none.

    Returns:
        The event, its time in UTC.

    Raises:
        InvalidEvent: with the reason; see `schemas.errors`.
    """
    if value is None:
        return ProductCreated(product_id=product_of_tombstone(key), change=Change.WITHDRAWN)
    try:
        event = _PRODUCT_CREATED.decode(value)
    except _UNREADABLE as error:
        event = _second_reading(ProductCreated, value, error)
    # One string is one check; which of them it was matters only when it fails.
    if not f"{event.product_id}{event.event_id}".isprintable():
        check_identifiers(event, "product_id", "event_id")
    if event.occurred_at is not None and event.occurred_at.tzinfo is not UTC:
        set_utc(event, "occurred_at")
    if event.price is not None:
        check_price(event, event.price)
    if (
        not event.title
        and event.change is not Change.WITHDRAWN
        and _TITLED.decode(value).title is msgspec.UNSET
    ):
        raise InvalidEvent(
            "invalid-field",
            "$.title: Object missing required field `title`, which only a withdrawal may leave out; "
            + advice(ProductCreated),
            "$.title",
        )
    if key is not None and key != event.product_id.encode():
        raise key_mismatch(ProductCreated, "product_id")
    return event


def decode_user_behavior(
    value: bytes | None, key: bytes | None = None, *, received_at: datetime | None = None
) -> UserBehavior:
    """Read a `user-behavior` record.

    Args:
        value: the record's value.
        key: the record's key, or None if it has none.
        received_at: when the broker got it (aware); None leaves the future unchecked.

    Returns:
        The event, its time in UTC.

    Raises:
        InvalidEvent: with the reason; see `schemas.errors`.
    """
    try:
        event = _USER_BEHAVIOR.decode(value)  # type: ignore[arg-type]  # None is a TypeError, and diagnosed
    except _UNREADABLE as error:
        event = _second_reading(UserBehavior, value, error)
    user, session = event.user_id, event.session_id
    shopper = user or session
    if shopper is None:
        raise InvalidEvent(
            "missing-shopper",
            f"neither user_id nor session_id says whose behaviour this is; {advice(UserBehavior)}",
            "$.user_id",
        )
    if not f"{event.product_id}{user}{session}{event.event_id}".isprintable():
        check_identifiers(event, "product_id", "user_id", "session_id", "event_id")
    if event.occurred_at.tzinfo is not UTC:
        set_utc(event, "occurred_at")
    occurred_at = event.occurred_at
    if occurred_at < EARLIEST or (
        received_at is not None and occurred_at > received_at and occurred_at - LATEST_AHEAD > received_at
    ):
        raise implausible_time(occurred_at, received_at)
    if event.price is not None:
        check_price(event, event.price)
    if key is not None and key != shopper.encode():
        raise key_mismatch(UserBehavior, "session_id" if user is None else "user_id")
    return event


def decode_category_feedback(value: bytes | None, key: bytes | None = None) -> CategoryFeedback:
    """Read a `category-feedback` record; a correction needs its `category_id`. Raises InvalidEvent."""
    event = _decode(_CATEGORY_FEEDBACK, CategoryFeedback, value)
    check_identifiers(event, "product_id", "event_id")
    set_utc(event, "occurred_at")
    if event.verdict is Verdict.CORRECT and event.category_id is None:
        raise InvalidEvent(
            "missing-category",
            f"the verdict is `correct`, but category_id does not say to what; {advice(CategoryFeedback)}",
            "$.category_id",
        )
    check_key(event, key, "product_id")
    return event


def decode_product_enriched(value: bytes | None, key: bytes | None = None) -> ProductEnriched:
    """Read a `product-enriched` record that is not a tombstone. Raises InvalidEvent."""
    event = _decode(_PRODUCT_ENRICHED, ProductEnriched, value)
    check_identifiers(event, "product_id")
    check_key(event, key, "product_id")
    return event


def decode_enrichment_review(value: bytes | None, key: bytes | None = None) -> EnrichmentReview:
    """Read an `enrichment-review` record. Raises InvalidEvent."""
    event = _decode(_ENRICHMENT_REVIEW, EnrichmentReview, value)
    check_identifiers(event, "product_id")
    check_key(event, key, "product_id")
    return event


def decode_affinity_updated(value: bytes | None, key: bytes | None = None) -> AffinityUpdated:
    """Read an `affinity-updated` record that is not a tombstone. Raises InvalidEvent."""
    event = _decode(_AFFINITY_UPDATED, AffinityUpdated, value)
    check_identifiers(event, "product_id")
    set_utc(event, "as_of")
    check_key(event, key, "product_id")
    return event


def decode_shopper_updated(value: bytes | None, key: bytes | None = None) -> ShopperUpdated:
    """Read a `shopper-updated` record that is not a tombstone. Raises InvalidEvent."""
    event = _decode(_SHOPPER_UPDATED, ShopperUpdated, value)
    check_identifiers(event, "user_id")
    set_utc(event, "as_of")
    set_utc(event.session, "started_at")
    set_utc(event.session, "last_at")
    check_key(event, key, "user_id")
    return event


DECODERS: dict[str, Callable[[bytes | None, bytes | None], Event]] = {
    ProductCreated.topic: decode_product_created,
    UserBehavior.topic: decode_user_behavior,
    ProductEnriched.topic: decode_product_enriched,
    EnrichmentReview.topic: decode_enrichment_review,
    CategoryFeedback.topic: decode_category_feedback,
    AffinityUpdated.topic: decode_affinity_updated,
    ShopperUpdated.topic: decode_shopper_updated,
}
"""The decoder of each topic's events, for tools that meet them all."""


def _decode(decoder: msgspec.json.Decoder[E], event: type[E], value: bytes | None) -> E:
    try:
        return decoder.decode(value)  # type: ignore[arg-type]  # None is a TypeError, and diagnosed
    except _UNREADABLE as error:
        return _second_reading(event, value, error)


def _second_reading(event: type[E], value: bytes | None, error: Exception) -> E:
    """Read again what msgspec refused, with any ISO 8601 time allowed, or raise why it is refused.

    msgspec reads RFC 3339; ISO 8601 has more forms (`20240501T1230Z`), and some producers write them.
    """
    refusal = diagnose(event, value, error)
    if value is None or refusal.field != "$.occurred_at":
        raise refusal from error
    try:
        fields = _FIELDS.decode(value)
        fields["occurred_at"] = _iso_8601(fields.get("occurred_at"))
    except (ValueError, RecursionError):
        raise refusal from error
    try:
        return msgspec.convert(fields, event)
    except msgspec.ValidationError as other:
        raise diagnose(event, value, other) from other


def _iso_8601(text: object) -> datetime:
    """Read a time in any form of ISO 8601; raises ValueError for a day alone, which tells no time."""
    if not isinstance(text, str) or len(text) < len("20240501T12"):
        raise ValueError(text)
    return datetime.fromisoformat(text)
