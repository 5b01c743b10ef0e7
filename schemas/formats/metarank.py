"""Metarank's events: items become listings, rankings impressions, and interactions actions."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from schemas.events import Action
from schemas.formats.behavior_event import behavior, row_id, time_of_epoch
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.json_rows import json_rows
from schemas.formats.listing import listing
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row
from schemas.formats.values import plain_text, price, utc_time

_ACTIONS = {
    "view": Action.VIEW,
    "click": Action.CLICK,
    "cart": Action.CART,
    "add_to_cart": Action.CART,
    "addtocart": Action.CART,
    "wishlist": Action.FAVORITE,
    "favorite": Action.FAVORITE,
    "like": Action.FAVORITE,
    "purchase": Action.PURCHASE,
    "buy": Action.PURCHASE,
}
_LISTED = ("title", "name", "description", "brand", "category", "price", "url", "image", "language")


class Metarank(Format):
    """Events as Metarank's API takes them."""

    name = "metarank"
    kind = Kind.BEHAVIOR
    title = "Metarank events: item, ranking and interaction"

    def matches(self, head: Head) -> float:
        """A kind of event in `event`, with its id and time."""
        kinds = {each.get("event") for each in head.objects if isinstance(each.get("event"), str)}
        known = {"item", "ranking", "interaction", "user"}
        return 0.9 if kinds and kinds <= known and head.keys >= {"id", "timestamp"} else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per event."""
        return json_rows(stream)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """A listing, impressions, or an action. Events on users give none.

        An interaction of another type than a view, click, cart, wish or purchase is an error: its meaning is
        the shop's own, and a mapping file says it.
        """
        kind = row.text("event")
        if kind == "item":
            yield _listing(row, options)
        elif kind == "ranking":
            items = row.get("items")
            for item in items if isinstance(items, list) else []:
                if isinstance(item, Mapping) and item.get("id"):
                    yield _event(Action.IMPRESSION, row, str(item["id"]), options)
        elif kind == "interaction":
            action = _ACTIONS.get(row.text("type").lower())
            if action is None:
                raise invalid_row(
                    "type", f"is none of {', '.join(_ACTIONS)}; say its meaning in a mapping file"
                )
            yield _event(action, row, row.text("item"), options)
        elif kind != "user":
            raise invalid_row("event", "is none of item, user, ranking, interaction")


def _event(action: Action, row: Row, item: str, options: ImportOptions) -> tuple[str, Fields]:
    return behavior(
        action,
        _time(row),
        "timestamp",
        options,
        "metarank", row.text("id"), action.value, item,
        product_id=item,
        user_id=row.text("user"),
        session_id=row.text("session"),
    )  # fmt: skip


def _listing(row: Row, options: ImportOptions) -> tuple[str, Fields]:
    listed = row.get("fields")
    fields: dict[str, Any] = {
        str(each.get("name")): each.get("value")
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, Mapping)
    }
    time = row.text("timestamp")
    return listing(
        row.text("item"),
        "item",
        options,
        title=_text(fields.get("title") or fields.get("name")),
        description=plain_text(fields.get("description")),
        brand=_text(fields.get("brand")),
        shop_category=_text(fields.get("category"), " > "),
        price=price(fields.get("price"), options.currency),
        url=_text(fields.get("url")),
        image_url=_text(fields.get("image")),
        language=_text(fields.get("language")),
        occurred_at=_time(row),
        event_id=row_id("metarank", row.text("id"), row.text("item"), time),
        attributes={name: _text(value) for name, value in fields.items() if name not in _LISTED},
    )


def _time(row: Row) -> str | None:
    """Milliseconds since 1970 as a number or digits, or ISO 8601."""
    text = row.text("timestamp")
    return time_of_epoch(text, 1000) if text.isdecimal() else utc_time(text)


def _text(value: Any, separator: str = ", ") -> str:
    """A value as text: of a list its values."""
    if isinstance(value, list):
        return separator.join(str(each) for each in value)
    return "" if value is None else str(value).strip()
