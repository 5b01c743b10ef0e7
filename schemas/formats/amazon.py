"""The item metadata of the Amazon review data sets of 2014, 2018 and 2023: one object per line.

The set of 2014 is written as Python literals. Prices have no currency: the data sets say `$` or nothing.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.json_rows import MAX_LINE, json_rows
from schemas.formats.listing import listing
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import path, plain_text, price

_OLDER_KEYS = {"also_buy", "salesRank", "main_cat", "imUrl", "also_view", "categories"}
_LONGEST_VALUE = 200
_NOT_SAYING = (
    "asin", "upc", "rank", "review", "date first", "discontinued", "shipping", "model number", "manufacturer",
    "isbn", "brand", "customer", "dishwasher safe", "batteries", "package dimensions", "product dimensions",
)  # fmt: skip
"""Words of details that say nothing of what the product is, or are fields of their own."""


class Amazon(Format):
    """Item metadata of the Amazon review data sets."""

    name = "amazon"
    kind = Kind.PRODUCTS
    title = "Amazon review data sets, item metadata of 2014, 2018 or 2023: JSON Lines"

    def matches(self, head: Head) -> float:
        """An ASIN beside the keys of the data sets."""
        keys = head.keys
        if "parent_asin" in keys:
            return 0.95 if {"title", "details"} & keys and "rating" not in keys else 0.0
        if "asin" in keys and keys & {
            "also_buy",
            "salesRank",
            "main_cat",
            "imUrl",
            "also_view",
            "categories",
        }:
            return 0.95
        return 0.9 if head.text.startswith("{'asin'") else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Lines."""
        start = stream.read(2)
        stream = joined(start, stream)
        return _literal_rows(stream) if start == b"{'" else json_rows(stream)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One listing per item."""
        details = _details(row.get("details"))
        images = _images(row)
        texts = [*_texts(row.get("description")), *_texts(row.get("features")), *_texts(row.get("feature"))]
        brand = details.get("Brand") or row.first("brand", "store") or details.get("Manufacturer")
        attributes = {
            name: plain_text(text)
            for name, text in details.items()
            if len(text) <= _LONGEST_VALUE and not any(word in name.lower() for word in _NOT_SAYING)
        }
        yield listing(
            row.first("parent_asin", "asin"),
            "parent_asin",
            options,
            title=plain_text(row.text("title")),
            description=plain_text("\n".join(texts)),
            brand=plain_text(brand),
            price=price(row.get("price"), options.currency),
            image_url=images[0] if images else None,
            images=images[1:],
            shop_category=_category(row),
            gtin=(details.get("UPC") or "").partition(" ")[0],
            attributes=attributes,
        )


def _literal_rows(stream: BinaryIO) -> Iterator[Row]:
    used: set[str] = set()
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        if line.isspace():
            continue
        try:
            value = ast.literal_eval(line.decode("utf-8", errors="replace").strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            yield Row(f"line {number}", {}, used, "is no Python literal, as the lines before are")
            continue
        fault = None if isinstance(value, dict) else "is a literal, but no object"
        fields = {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}
        yield Row(f"line {number}", fields, used, fault)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text.strip() for text in values if isinstance(text, str) and text.strip()]


def _details(value: Any) -> dict[str, str]:
    """The details of an item; some copies of the data set keep them as JSON in a string."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except ValueError:
            return {}
    if not isinstance(value, Mapping):
        return {}
    return {str(name).strip().rstrip(":"): text for name, text in value.items() if isinstance(text, str)}


def _images(row: Row) -> list[str]:
    """Addresses of the pictures: the large ones of 2023, or those of the older sets."""
    value = row.get("images")
    if isinstance(value, Mapping):
        found = _texts(value.get("large")) or _texts(value.get("hi_res"))
    elif isinstance(value, list):
        objects = [each for each in value if isinstance(each, Mapping)]
        found = [text for each in objects for text in _texts(each.get("large") or each.get("hi_res"))]
    else:
        found = []
    older = [_texts(row.get(name)) for name in ("imageURLHighRes", "imageURL", "imUrl")]
    return found or next((texts for texts in older if texts), [])


def _category(row: Row) -> str | None:
    """The path of categories, or the main category. Markup got into some paths of 2018."""
    for name in ("categories", "category"):
        value = row.get(name)
        if isinstance(value, list) and value and isinstance(value[0], list):
            value = max((levels for levels in value if isinstance(levels, list)), key=len)
        levels = [text for text in _texts(value) if "<" not in text and len(text) <= 80]
        if levels:
            return path(map(plain_text, levels))
    return path([plain_text(row.first("main_category", "main_cat"))])
