"""Builds product-created events: empty fields are left out, and the options fill what a file cannot say."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from schemas.events import Availability, Change, ProductCreated
from schemas.formats.row import Fields, ImportOptions, check_not_rounded, invalid_row
from schemas.formats.values import gtin, split_path

LONGEST_ID = 256

_AVAILABILITY = {
    "instock": Availability.IN_STOCK,
    "limitedavailability": Availability.IN_STOCK,
    "instoreonly": Availability.IN_STOCK,
    "onlineonly": Availability.IN_STOCK,
    "availablefororder": Availability.IN_STOCK,
    "outofstock": Availability.OUT_OF_STOCK,
    "soldout": Availability.OUT_OF_STOCK,
    "preorder": Availability.PREORDER,
    "presale": Availability.PREORDER,
    "backorder": Availability.BACKORDER,
    "onbackorder": Availability.BACKORDER,
    "discontinued": Availability.DISCONTINUED,
}


def availability(text: str) -> str | None:
    """Return the contract's word for an availability: `in stock`, `https://schema.org/InStock`, `instock`."""
    word = text.rstrip("/").rpartition("/")[2].lower()
    found = _AVAILABILITY.get("".join(character for character in word if character.isalpha()))
    return found.value if found is not None else None


def clean_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return attributes without blank names and values, and with single blanks in their names."""
    cleaned = {" ".join(name.split()): text.strip() for name, text in attributes.items()}
    return {name: text for name, text in cleaned.items() if name and text}


def address(text: str | None, shop_url: str | None) -> str | None:
    """Return an absolute address; one that is relative is joined to the shop's, or None."""
    if not text or "://" in text[:12]:
        return text or None
    if text.startswith("//"):
        return f"https:{text}"
    return urljoin(f"{shop_url.rstrip('/')}/", text) if shop_url else None


def withdrawal(product_id: str, id_column: str, options: ImportOptions, **fields: Any) -> tuple[str, Fields]:
    """Return topic and event of a listing that is no longer offered. Arguments and errors as of `listing`."""
    return listing(product_id, id_column, options, change=Change.WITHDRAWN.value, **fields)


def regular_and_sale(
    current: dict[str, Any] | None, before: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return price and sale price, for formats that know what is paid now and what was paid before."""
    if current is None or before is None or before["amount"] <= current["amount"]:
        return current or before, None
    return before, current


def joined_texts(values: Iterable[Any], separator: str = ", ") -> str:
    """Join distinct texts in their order; what is no text is left out."""
    texts = [value.strip() for value in values if isinstance(value, str)]
    return separator.join(dict.fromkeys(text for text in texts if text))


def listing(product_id: str, id_column: str, options: ImportOptions, **fields: Any) -> tuple[str, Fields]:
    """Return topic and event of a listing.

    Args:
        product_id: Its id.
        id_column: The column of the id, for the error.
        options: Values that the file may not say.
        **fields: Fields of product-created. Those that are None or empty are left out, and an invalid `gtin`.

    Raises:
        InvalidEvent: There is no id, or no title and no withdrawal.
    """
    if not product_id:
        raise invalid_row(id_column, "no value, and a listing needs an id")
    check_not_rounded(id_column, product_id)
    event: Fields = {"product_id": product_id}
    fields["gtin"] = gtin(fields.get("gtin"))
    for name in ("url", "image_url"):
        fields[name] = address(fields.get(name), options.shop_url)
    fields["images"] = [
        found for each in fields.get("images") or [] if (found := address(each, options.shop_url))
    ]
    fields["attributes"] = clean_attributes(fields.get("attributes") or {})
    for name, value in fields.items():
        if value is not None and value not in ("", {}, []):
            event[name] = value
    if "title" not in event and event.get("change") != Change.WITHDRAWN.value:
        raise invalid_row("title", "the listing has no title")
    if options.language is not None:
        event.setdefault("language", options.language)
    if options.shop_id is not None:
        event.setdefault("shop_id", options.shop_id)
    return ProductCreated.topic, event


def deepest(paths: Iterable[str]) -> str | None:
    """Return the path with the most levels, the first of several; None if there is none."""
    split = [path for text in paths if (path := split_path(text))]
    return max(split, key=lambda path: path.count(" > "), default=None)


def in_period(start: str, end: str, now: datetime | None) -> bool:
    """Return whether `now` is between two times. One that is empty or cannot be read does not limit.

    Args:
        start: ISO 8601; without a zone it is UTC.
        end: ISO 8601; a date without a time is its last moment.
        now: The time, or None: then every period holds.
    """
    if now is None:
        return True
    first, last = _moment(start, "T00:00:00"), _moment(end, "T23:59:59")
    return (first is None or first <= now) and (last is None or now <= last)


def _moment(text: str, time_of_day: str) -> datetime | None:
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text + time_of_day if len(text) == len("2024-05-01") else text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
