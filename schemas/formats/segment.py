"""Segment's and RudderStack's calls: `track` by the e-commerce specification, and `identify`."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from schemas.events import Action
from schemas.formats.behavior_event import behavior, currency_code, quantity, row_id
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.json_rows import json_rows
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row
from schemas.formats.values import price, utc_time

_ACTIONS = {
    "productviewed": Action.VIEW,
    "productclicked": Action.CLICK,
    "productlistviewed": Action.IMPRESSION,
    "productlistfiltered": Action.IMPRESSION,
    "productadded": Action.CART,
    "wishlistproductaddedtocart": Action.CART,
    "productremoved": Action.REMOVE_FROM_CART,
    "productaddedtowishlist": Action.FAVORITE,
    "ordercompleted": Action.PURCHASE,
    "orderrefunded": Action.RETURN,
    "ordercancelled": Action.RETURN,
}
_SEARCH = "productssearched"
_MAY_NAME_NONE = {Action.IMPRESSION, Action.RETURN}
"""Actions without products in some calls: a list by its name alone, a refund of a whole order."""


class Segment(Format):
    """Calls as Segment and RudderStack send them to destinations, as JSON."""

    name = "segment"
    kind = Kind.BEHAVIOR
    title = "Segment and RudderStack: track and identify calls as JSON"

    def matches(self, head: Head) -> float:
        """A call with its message id, and one of the ids of a person."""
        if "messageId" in head.keys and "type" in head.keys and head.keys & {"anonymousId", "userId"}:
            return 0.95
        return 0.5 if head.keys >= {"event", "properties"} and head.keys & {"anonymousId", "userId"} else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per call; a batch request has its calls in `batch`."""
        return json_rows(stream, ("batch",))

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One action per product, a search, or the login of a guest. Other calls give none."""
        kind = row.text("type") or "track"
        user, guest = row.text("userId"), row.text("anonymousId")
        context = row.get("context")
        session = context.get("sessionId") if isinstance(context, Mapping) else None
        shopper = {"user_id": user, "anonymous_id": guest, "session_id": _session(guest or user, session)}
        if kind == "identify" and user and guest:
            yield _event(Action.IDENTIFY, row, options, 0, shopper)
        elif kind == "track":
            name = "".join(character for character in row.text("event").lower() if character.isalnum())
            properties = row.get("properties")
            properties = properties if isinstance(properties, Mapping) else {}
            if name == _SEARCH:
                yield _event(Action.SEARCH, row, options, 0, shopper, query=properties.get("query"))
            elif (action := _ACTIONS.get(name)) is not None:
                yield from _products(action, row, options, properties, shopper)


def _products(
    action: Action,
    row: Row,
    options: ImportOptions,
    properties: Mapping[str, Any],
    shopper: Mapping[str, Any],
) -> Iterator[tuple[str, Fields]]:
    listed = properties.get("products")
    products = listed if isinstance(listed, list) else [properties]
    for place, product in enumerate(products):
        if not isinstance(product, Mapping):
            raise invalid_row(f"properties.products[{place}]", "is not an object")
        name = product.get("product_id") or product.get("id") or product.get("sku")
        if not name and action in _MAY_NAME_NONE and product is properties:
            return
        if not name:
            where = "properties" if product is properties else f"properties.products[{place}]"
            raise invalid_row(f"{where}.product_id", "is missing")
        currency = currency_code(product.get("currency"), properties.get("currency"), options.currency)
        yield _event(
            action,
            row,
            options,
            place,
            shopper,
            product_id=name,
            quantity=quantity(product.get("quantity")),
            price=price(product.get("price"), currency),
        )


def _event(
    action: Action, row: Row, options: ImportOptions, place: int, shopper: Mapping[str, Any], **fields: Any
) -> tuple[str, Fields]:
    # `timestamp` is corrected for the clock of the device; `originalTimestamp` is what the device said.
    time = row.first("timestamp", "originalTimestamp", "sentAt", "receivedAt")
    message = row.text("messageId") or row_id(time, row.text("event"), *shopper.values())
    return behavior(
        action, utc_time(time), "timestamp", options, "segment", message, place, **shopper, **fields
    )


def _session(shopper: str, session: Any) -> str | None:
    """RudderStack numbers sessions by their start, so the shopper is part of the id."""
    return f"{shopper}.{session}" if session and shopper else None
