"""Builds product-created events: empty fields are left out, and the options fill what a file cannot say."""

from typing import Any

from schemas.events import Availability, Change, ProductCreated
from schemas.formats.row import Fields, ImportOptions, invalid_row
from schemas.formats.values import gtin

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
        raise invalid_row(id_column, "is missing, and a listing needs an id")
    event: Fields = {"product_id": product_id}
    for name, value in fields.items():
        if value is not None and value not in ("", {}, []):
            event[name] = value
    if "title" not in event and event.get("change") != Change.WITHDRAWN.value:
        raise invalid_row("title", "the listing has no title")
    if "gtin" in event:
        event["gtin"] = gtin(event["gtin"])
        if event["gtin"] is None:
            del event["gtin"]
    if "attributes" in event:
        event["attributes"] = {
            " ".join(name.split()): text
            for name, text in event["attributes"].items()
            if name.strip() and text
        }
    if options.language is not None:
        event.setdefault("language", options.language)
    if options.shop_id is not None:
        event.setdefault("shop_id", options.shop_id)
    return ProductCreated.topic, event
