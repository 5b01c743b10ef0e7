"""WooCommerce: the CSV of the product export, and products as JSON of the REST and Store APIs or of webhooks.

Each row is a listing, and `group_id` joins a variable product with its variations. A variation takes from its
product what the export leaves empty.
"""

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.json_rows import json_rows
from schemas.formats.listing import deepest, in_period, joined_texts, listing
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import plain_text, price
from schemas.formats.woocommerce_json import JSON_KEYS, json_events

PARENT = "(product)"
"""Where a variation keeps the columns of its product."""

_COMMA = re.compile(r"(?<!\\),\s*")
_ATTRIBUTE = re.compile(r"attribute (\d+) name")
_INHERITED = ("categories", "brands", "tags", "description", "short description", "name")
_CSV = {"type", "sku", "name", "published", "visibility in catalog", "regular price", "in stock?", "parent"}
_AVAILABILITY = {"1": "in_stock", "0": "out_of_stock", "backorder": "backorder"}


class WooCommerce(Format):
    """Products of a WooCommerce shop."""

    name = "woocommerce"
    kind = Kind.PRODUCTS
    title = "WooCommerce products: CSV export (English), or JSON of the REST API, the Store API or webhooks"
    reads_twice = True

    def matches(self, head: Head) -> float:
        """The columns of the export, or the keys of the API."""
        if len(_CSV & {column.lower() for column in head.columns}) >= 5:
            return 0.95
        return 0.95 if any(len(JSON_KEYS & each.keys()) >= 4 for each in head.objects) else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Products and variations. The columns of the variable products are read first."""
        start = stream.read(4096)
        if start.lstrip()[:1] in (b"{", b"["):
            yield from json_rows(joined(start, stream), ("products",))
            return
        stream.seek(0)
        products = _variable_products(stream)
        stream.seek(0)
        for row in csv_rows(stream, required=("name",), rename=_name):
            if row.fault is None:
                parent = row.fields.get("parent", "")
                row.fields = {**row.fields, PARENT: products.get(_reference(parent), {})}
            yield row

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One listing per product or variation. A draft is no listing."""
        if PARENT in row.fields:
            yield from _table_events(row, options)
        else:
            yield from json_events(row, options)


def _name(column: str) -> str:
    return column.strip().lower()


def _reference(text: str) -> str:
    """An id as `Parent` names it: `id:100`, or a SKU."""
    return text.strip().removeprefix("id:").strip()


def _variable_products(stream: BinaryIO) -> dict[str, dict[str, str]]:
    """What variations take from their products, by id and by SKU."""
    found: dict[str, dict[str, str]] = {}
    for row in csv_rows(stream, rename=_name):
        if "variable" in row.fields.get("type", ""):
            kept = {name: row.fields[name] for name in _INHERITED if name in row.fields}
            kept["id"] = row.fields.get("id") or row.fields.get("sku", "")
            for key in ("id", "sku"):
                if key in row.fields:
                    found[row.fields[key].strip()] = kept
    return found


def _table_events(row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
    if row.text("published") in ("0", "-1"):
        return
    product: Mapping[str, str] = row.fields[PARENT]
    regular = price(row.get("regular price"), options.currency)
    sale = price(row.get("sale price"), options.currency)
    start, end = row.text("date sale price starts"), row.text("date sale price ends")
    if sale is not None and not in_period(start, end, options.now):
        sale = None
    images = _cells(row.text("images"))
    kinds = row.text("type").lower()
    own = row.first("id", "sku")
    parent = _reference(row.text("parent")) if "variation" in kinds else ""

    def inherited(name: str) -> str:
        return row.text(name) or product.get(name, "").strip()

    categories = _cells(inherited("categories"))
    yield listing(
        own,
        "id",
        options,
        title=plain_text(inherited("name")),
        description=plain_text(inherited("description") or inherited("short description")),
        brand=next(iter(_cells(inherited("brands"))), None),
        price=regular or sale,
        sale_price=sale if regular is not None else None,
        availability=_AVAILABILITY.get(row.text("in stock?").lower()),
        image_url=images[0] if images else None,
        images=images[1:],
        url=row.text("external url"),
        shop_category=deepest(categories),
        group_id=product.get("id") or parent or (own if "variable" in kinds else None),
        sku=row.text("sku"),
        gtin=row.text("gtin, upc, ean, or isbn"),
        attributes=_attributes(row) | {"tags": joined_texts(_cells(inherited("tags")))},
    )


def _attributes(row: Row) -> dict[str, str]:
    """`Attribute 1 name` and `Attribute 1 value(s)`, and so on."""
    found: dict[str, str] = {}
    for column in [name for name in row.fields if _ATTRIBUTE.fullmatch(name)]:
        name = row.text(column)
        if name:
            found[name] = joined_texts(_cells(row.text(column.removesuffix("name") + "value(s)")))
    return found


def _cells(text: str) -> list[str]:
    """The parts of a cell with several values. A comma within a value has a backslash before it."""
    return [part.replace("\\,", ",").strip() for part in _COMMA.split(text) if part.strip()]
