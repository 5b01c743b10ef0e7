"""Decodes the events that clients write: listings, shoppers' actions and category feedback.

A value that msgspec accepts as it is takes about 1 µs. Only others go through `schemas.tolerant_reader`.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from schemas.behavior_rules import check_behavior_key, keeps_rules
from schemas.envelope import Headers, header_id, header_time
from schemas.errors import InvalidEvent
from schemas.events import Action, CategoryFeedback, Change, ProductCreated, UserBehavior, Verdict
from schemas.forms import is_currency, is_gtin, is_language
from schemas.keys import shopper_id
from schemas.rules import (
    EARLIEST,
    LATEST_AHEAD,
    check_key,
    implausible_time,
    key_mismatch,
    product_of_tombstone,
    set_utc,
)
from schemas.tolerant_reader import Ignored, read_tolerantly


class _Titled(msgspec.Struct):
    """Distinguishes an empty title from a missing one."""

    title: str | msgspec.UnsetType = msgspec.UNSET


# What msgspec raises: its own errors and UnicodeDecodeError are ValueErrors, nesting beyond the interpreter's
# limit is a RecursionError, and None instead of bytes is a TypeError.
DECODE_ERRORS = (ValueError, RecursionError, TypeError)

_PRODUCT_CREATED = msgspec.json.Decoder(ProductCreated)
_USER_BEHAVIOR = msgspec.json.Decoder(UserBehavior)
_CATEGORY_FEEDBACK = msgspec.json.Decoder(CategoryFeedback)
_NOTHING: Ignored = ()
_IDENTIFY = Action.IDENTIFY
_BACKSLASH, _DELETE = b"\\\x7f"
_TITLED = msgspec.json.Decoder(_Titled)


def decode_listing(
    value: bytes | None, key: bytes | None = None, *, headers: Headers = ()
) -> tuple[ProductCreated, Ignored]:
    """Decode a `product-created` record. Only `product_id` and `title` are required.

    Args:
        value: The record's value. None, a tombstone, is the withdrawal of the product named by `key`.
        key: The record's key, or None if it has none.
        headers: The record's headers. `ce_id` and `ce_time` fill an absent `event_id` and `occurred_at`.

    Returns:
        The event, its time in UTC, and the optional fields that were left out because they are wrong.

    Raises:
        InvalidEvent: The record is invalid; `reason` is one of those in `schemas.errors`.
    """
    if value is None:
        return ProductCreated(product_id=product_of_tombstone(key), change=Change.WITHDRAWN), ()
    ignored = _NOTHING
    try:
        event = _PRODUCT_CREATED.decode(value)
        # JSON has a control character as an escape, or it is a DEL: few values need the check of identifiers.
        # One check of the joined string is faster; the tolerant reader finds the wrong identifier.
        if (
            (
                (_BACKSLASH in value or _DELETE in value)
                and not f"{event.product_id}{event.event_id}".isprintable()
            )
            or (event.occurred_at is not None and event.occurred_at.tzinfo is not UTC)
            or (event.price is not None and not is_currency(event.price.currency))
            or (event.language is not None and not is_language(event.language))
            or not event.title
            or (event.gtin or event.group_id or event.sale_price) is not None
        ) and not _is_clean_listing(event, value):
            event, ignored = read_tolerantly(ProductCreated, value, None)
    except DECODE_ERRORS as error:
        event, ignored = read_tolerantly(ProductCreated, value, error)
    if headers and (event.occurred_at is None or event.event_id is None):
        _fill(event, headers)
    if key is not None and key != event.product_id.encode():
        raise key_mismatch(ProductCreated, "product_id", key)
    return event, ignored


def _is_clean_listing(event: ProductCreated, value: bytes) -> bool:
    """Whether all rules that types cannot express hold. Converts the time to UTC."""
    if not f"{event.product_id}{event.event_id}{event.group_id}".isprintable():
        return False
    try:
        set_utc(event, "occurred_at")
    except InvalidEvent:
        return False
    return (
        all(price is None or is_currency(price.currency) for price in (event.price, event.sale_price))
        and (event.language is None or is_language(event.language))
        and (event.gtin is None or is_gtin(event.gtin))
        and (
            bool(event.title)
            or event.change is Change.WITHDRAWN
            or _TITLED.decode(value).title is not msgspec.UNSET
        )
    )


def decode_product_created(value: bytes | None, key: bytes | None = None) -> ProductCreated:
    """Decode a `product-created` record; as `decode_listing`, without the fields that were left out."""
    return decode_listing(value, key)[0]


def decode_behavior(
    value: bytes | None,
    key: bytes | None = None,
    *,
    received_at: datetime | None = None,
    headers: Headers = (),
) -> tuple[UserBehavior, Ignored]:
    """Decode a `user-behavior` record.

    Args:
        value: The record's value.
        key: The record's key, or None if it has none.
        received_at: When the record arrived at the broker (timezone-aware). If None, times in the future
            pass.
        headers: The record's headers. `ce_id` and `ce_time` fill an absent `event_id` and `occurred_at`.

    Returns:
        The event, its time in UTC, and the optional fields that were left out because they are wrong.

    Raises:
        InvalidEvent: The record is invalid; `reason` is one of those in `schemas.errors`.
    """
    ignored = _NOTHING
    try:
        event = _USER_BEHAVIOR.decode(value)  # type: ignore[arg-type]  # None raises TypeError
    except DECODE_ERRORS as error:
        event, ignored = read_tolerantly(UserBehavior, value, error, _time_of(headers))
    shopper = event.user_id or event.anonymous_id or event.session_id
    price = event.price
    # What the tolerant reader returns keeps all rules. A control character is an escape of JSON, or a DEL.
    if (
        (shopper is None or event.product_id is None or event.action is _IDENTIFY) and not keeps_rules(event)
    ) or (
        ((_BACKSLASH in value or _DELETE in value) and not _has_printable_ids(event))  # type: ignore[operator]
        or (price is not None and not is_currency(price.currency))
    ):
        event, ignored = read_tolerantly(UserBehavior, value, None, _time_of(headers))
        shopper = shopper_id(event)
    if event.occurred_at.tzinfo is not UTC:
        set_utc(event, "occurred_at")
    occurred_at = event.occurred_at
    if occurred_at < EARLIEST or (
        received_at is not None and occurred_at > received_at and occurred_at - LATEST_AHEAD > received_at
    ):
        raise implausible_time(occurred_at, received_at)
    if headers and event.event_id is None:
        _fill(event, headers)
    if key is not None and key != shopper.encode():  # type: ignore[union-attr]  # keeps_rules
        check_behavior_key(event, key)
    return event, ignored


def _has_printable_ids(event: UserBehavior) -> bool:
    ids = f"{event.product_id}{event.user_id}{event.anonymous_id}{event.session_id}{event.event_id}"
    return ids.isprintable()


def decode_user_behavior(
    value: bytes | None, key: bytes | None = None, *, received_at: datetime | None = None
) -> UserBehavior:
    """Decode a `user-behavior` record; as `decode_behavior`, without the fields that were left out."""
    return decode_behavior(value, key, received_at=received_at)[0]


def decode_feedback(
    value: bytes | None, key: bytes | None = None, *, headers: Headers = ()
) -> tuple[CategoryFeedback, Ignored]:
    """Decode a `category-feedback` record; `correct` requires `category_id`.

    Args:
        value: The record's value.
        key: The record's key, or None if it has none.
        headers: The record's headers. `ce_id` and `ce_time` fill an absent `event_id` and `occurred_at`.

    Returns:
        The event, its time in UTC, and the optional fields that were left out because they are wrong.

    Raises:
        InvalidEvent: The record is invalid; `reason` is one of those in `schemas.errors`.
    """
    ignored = _NOTHING
    try:
        event = _CATEGORY_FEEDBACK.decode(value)  # type: ignore[arg-type]  # None raises TypeError
        if not _is_clean_feedback(event):
            event, ignored = read_tolerantly(CategoryFeedback, value, None)
    except DECODE_ERRORS as error:
        event, ignored = read_tolerantly(CategoryFeedback, value, error)
    if headers:
        _fill(event, headers)
    check_key(event, key, "product_id")
    return event, ignored


def decode_category_feedback(value: bytes | None, key: bytes | None = None) -> CategoryFeedback:
    """Decode a `category-feedback` record; as `decode_feedback`, without the fields that were left out."""
    return decode_feedback(value, key)[0]


def _is_clean_feedback(event: CategoryFeedback) -> bool:
    if not f"{event.product_id}{event.event_id}".isprintable():
        return False
    try:
        set_utc(event, "occurred_at")
    except InvalidEvent:
        return False
    return event.verdict is not Verdict.CORRECT or event.category_id is not None


def _time_of(headers: Headers) -> dict[str, Any]:
    """Return the fields that headers can give before the event is complete."""
    time = header_time(headers) if headers else None
    return {} if time is None else {"occurred_at": time}


def _fill(event: ProductCreated | UserBehavior | CategoryFeedback, headers: Headers) -> None:
    """Fill fields that the value does not have from the record's headers. Times are costly to read."""
    if event.event_id is None and (found := header_id(headers)) is not None:
        force_setattr(event, "event_id", found)
    if event.occurred_at is None and (time := header_time(headers)) is not None:
        force_setattr(event, "occurred_at", time)
