"""Decodes and encodes events. Every input value is checked here once; every error is an `InvalidEvent`.

Events that clients write are decoded by `schemas.input_decoders`, which tolerate what is optional. A value
that fails is decoded again by `schemas.diagnosis` to explain the error. The rules that types cannot express
are in `schemas.rules`. Unknown fields are skipped without decoding, so only their end must be recognizable.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from schemas.audit import AuditEntry
from schemas.diagnosis import diagnose
from schemas.events import (
    AffinityUpdated,
    CategoryFeedback,
    EnrichmentReview,
    Event,
    ProductCreated,
    ProductEnriched,
    ShopperUpdated,
    UserBehavior,
)
from schemas.input_decoders import DECODE_ERRORS
from schemas.input_decoders import decode_behavior as decode_behavior
from schemas.input_decoders import decode_category_feedback as decode_category_feedback
from schemas.input_decoders import decode_feedback as decode_feedback
from schemas.input_decoders import decode_listing as decode_listing
from schemas.input_decoders import decode_product_created as decode_product_created
from schemas.input_decoders import decode_user_behavior as decode_user_behavior
from schemas.rules import check_identifiers, check_key, check_product_key, set_utc

E = TypeVar("E", bound=Event)


_PRODUCT_ENRICHED = msgspec.json.Decoder(ProductEnriched)
_ENRICHMENT_REVIEW = msgspec.json.Decoder(EnrichmentReview)
_AFFINITY_UPDATED = msgspec.json.Decoder(AffinityUpdated)
_SHOPPER_UPDATED = msgspec.json.Decoder(ShopperUpdated)
_AUDIT_ENTRY = msgspec.json.Decoder(AuditEntry)
_ANYTHING = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


def encode(event: Event) -> bytes:
    """Encode `event` as a Kafka value.

    Args:
        event: An event whose times are in UTC.

    Returns:
        UTF-8 JSON with every field in the contract's order. Optional fields without a value are null or
        empty, and times are RFC 3339 with `Z`.
    """
    return _ENCODER.encode(event)


def decode_product_enriched(value: bytes | None, key: bytes | None = None) -> ProductEnriched:
    """Decode a `product-enriched` record that is not a tombstone. Raises InvalidEvent."""
    event = _decode(_PRODUCT_ENRICHED, ProductEnriched, value)
    check_identifiers(event, "product_id")
    check_product_key(event, key)
    return event


def decode_enrichment_review(value: bytes | None, key: bytes | None = None) -> EnrichmentReview:
    """Decode an `enrichment-review` record. Raises InvalidEvent."""
    event = _decode(_ENRICHMENT_REVIEW, EnrichmentReview, value)
    check_identifiers(event, "product_id")
    check_product_key(event, key)
    return event


def decode_affinity_updated(value: bytes | None, key: bytes | None = None) -> AffinityUpdated:
    """Decode an `affinity-updated` record that is not a tombstone. Raises InvalidEvent."""
    event = _decode(_AFFINITY_UPDATED, AffinityUpdated, value)
    check_identifiers(event, "product_id")
    set_utc(event, "as_of")
    check_product_key(event, key)
    return event


def decode_shopper_updated(value: bytes | None, key: bytes | None = None) -> ShopperUpdated:
    """Decode a `shopper-updated` record that is not a tombstone. Raises InvalidEvent."""
    event = _decode(_SHOPPER_UPDATED, ShopperUpdated, value)
    check_identifiers(event, "user_id")
    set_utc(event, "as_of")
    set_utc(event.session, "started_at")
    set_utc(event.session, "last_at")
    check_key(event, key, "user_id")
    return event


def decode_audit_entry(value: bytes | None, key: bytes | None = None) -> AuditEntry:
    """Decode a `shelfstream-audit` record. Raises InvalidEvent."""
    event = _decode(_AUDIT_ENTRY, AuditEntry, value)
    check_identifiers(event, "event_id")
    set_utc(event, "occurred_at")
    check_key(event, key, "action")
    return event


DECODERS: dict[str, Callable[[bytes | None, bytes | None], Event]] = {
    ProductCreated.topic: decode_product_created,
    UserBehavior.topic: decode_user_behavior,
    ProductEnriched.topic: decode_product_enriched,
    EnrichmentReview.topic: decode_enrichment_review,
    CategoryFeedback.topic: decode_category_feedback,
    AffinityUpdated.topic: decode_affinity_updated,
    ShopperUpdated.topic: decode_shopper_updated,
    AuditEntry.topic: decode_audit_entry,
}
"""The decoder of each topic's events, by topic."""


def _decode(decoder: msgspec.json.Decoder[E], event: type[E], value: bytes | None) -> E:
    try:
        return decoder.decode(value)  # type: ignore[arg-type]  # None raises TypeError
    except DECODE_ERRORS as error:
        return _decode_as_json_schema(event, value, error)


def _decode_as_json_schema(event: type[E], value: bytes | None, error: Exception) -> E:
    """Decode a value that msgspec rejected, now as JSON Schema reads it: `1.0` is an integer.

    Raises:
        InvalidEvent: The value is invalid for another reason.
    """
    diagnosis = diagnose(event, value, error)
    if value is None or diagnosis.reason != "invalid-field":
        raise diagnosis from error
    try:
        return msgspec.convert(_with_integers(_ANYTHING.decode(value)), event)
    except (ValueError, RecursionError):
        raise diagnosis from error


def _with_integers(node: Any) -> Any:
    """Return a document with integers for numbers like `1.0`. Conversion to a float takes integers too."""
    if isinstance(node, dict):
        return {name: _with_integers(each) for name, each in node.items()}
    if isinstance(node, list):
        return [_with_integers(each) for each in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node
