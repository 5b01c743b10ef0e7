"""Shopify: the product CSV of the admin, and products as JSON (webhooks, REST, a storefront's products.json).

A product is one listing, with the values of its options as attributes: its variants have neither a title nor
a page of their own. With the option `variants` each variant is a listing, and `group_id` is the product.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.json_rows import json_rows
from schemas.formats.listing import joined_texts, listing, regular_and_sale, withdrawal
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.shopify_product import (
    LINES,
    PRODUCT_KEYS,
    Product,
    Variant,
    product_of_json,
    product_of_lines,
    unwrapped,
)
from schemas.formats.values import split_path

_NAMES = {
    "url handle": "handle",
    "body (html)": "description",
    "custom product type": "type",
    "standard product type": "product category",
    "published on online store": "published",
    "google shopping / google product category": "google category",
    "variant sku": "sku",
    "variant barcode": "barcode",
    "variant price": "price",
    "variant compare at price": "compare-at price",
    "image src": "product image url",
    "variant image": "variant image url",
    "google shopping / gender": "gender",
    "google shopping / age group": "age group",
}
"""Columns of the template until 2024, and of Google's app, by today's names."""


class Shopify(Format):
    """Products of a Shopify shop."""

    name = "shopify"
    kind = Kind.PRODUCTS
    title = (
        "Shopify products: CSV, or JSON of webhooks (products/create, update, delete) and of products.json"
    )

    def matches(self, head: Head) -> float:
        """The columns of the template, or the keys of a product."""
        columns = {_name(column) for column in head.columns}
        if {"handle", "title"} <= columns:
            return 0.95 if columns & {"option1 name", "price", "vendor"} else 0.4
        for each in head.objects:
            product = unwrapped(each)
            products = product.get("products")
            if isinstance(products, list) and products and isinstance(products[0], dict):
                product = products[0]
            if "variants" in product and len(PRODUCT_KEYS & product.keys()) >= 4:
                return 0.95
        keys = head.keys
        return 0.95 if {"variants", "body_html", "handle"} <= keys else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Products: of JSON, or the lines of a table that have one handle."""
        start = stream.read(4096)
        stream = joined(start, stream)
        if start.lstrip()[:1] in (b"{", b"["):
            yield from json_rows(stream, ("products",))
        else:
            yield from _table_rows(csv_rows(stream, required=("handle",), rename=_name))

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One listing per product, or per variant. A draft is no listing, and a deletion withdraws."""
        if isinstance(row.fields.get(LINES), list):
            product = product_of_lines(row, options)
            if product.status not in ("", "active") or product.published == "false":
                return
        else:
            product = product_of_json(row, options)
            if product.deleted or product.status not in ("", "active"):
                yield withdrawal(product.id, "id", options, title=product.title, occurred_at=product.time)
                return
        yield from _listings(product, options)


def _name(column: str) -> str:
    name = column.strip().lower()
    return _NAMES.get(name, name)


def _table_rows(lines: Iterator[Row]) -> Iterator[Row]:
    """Join the lines that have one handle and follow each other."""
    group: list[Row] = []
    for line in lines:
        handle = line.fields.get("handle")
        if group and (line.fault is not None or handle != group[0].fields.get("handle")):
            yield _joined_lines(group)
            group = []
        if line.fault is not None:
            yield line
        else:
            group.append(line)
    if group:
        yield _joined_lines(group)


def _joined_lines(lines: list[Row]) -> Row:
    """One row of the lines of a product. A column has the value of the first line that has one."""
    fields: dict[str, Any] = {LINES: lines}
    for line in lines:
        for name, value in line.fields.items():
            fields.setdefault(name, value)
    return Row(lines[0].place, fields, lines[0].used)


def _listings(product: Product, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
    if not options.variants or len(product.variants) < 2:
        variant = product.variants[0] if len(product.variants) == 1 else None
        cheapest = min(
            (each for each in product.variants if each.price is not None),
            key=lambda each: (each.price or {})["amount"],
            default=None,
        )
        yield _listing(product, product.id, variant, cheapest, options, product.options)
        return
    for each in product.variants:
        own = each.id or each.sku or ":".join([product.id, *each.options.values()])
        values = {name: [value] for name, value in each.options.items()}
        yield _listing(product, own, each, each, options, values)


def _listing(
    product: Product,
    product_id: str,
    variant: Variant | None,
    priced: Variant | None,
    options: ImportOptions,
    values: dict[str, list[str]],
) -> tuple[str, Fields]:
    """A listing of a product, or of one of its variants."""
    regular, sale = regular_and_sale(priced.price, priced.before) if priced is not None else (None, None)
    attributes = {name: joined_texts(texts) for name, texts in values.items()}
    attributes |= {"product_type": product.type, "tags": product.tags, **product.attributes}
    images = [*([variant.image] if variant is not None and variant.image else []), *product.images]
    images = list(dict.fromkeys(images))
    page = f"{options.shop_url.rstrip('/')}/products/{product.handle}" if options.shop_url else ""
    known = [each.available for each in product.variants if each.available is not None]
    available = variant.available if variant is not None else (any(known) if known else None)
    return listing(
        product_id,
        product.id_column,
        options,
        title=product.title,
        description=product.description,
        brand=product.vendor,
        price=regular,
        sale_price=sale,
        availability={True: "in_stock", False: "out_of_stock", None: None}[available],
        image_url=images[0] if images else None,
        images=images[1:],
        url=page if product.handle else None,
        category=product.category,
        shop_category=split_path(product.type or product.own_category),
        group_id=product.id if product_id != product.id else None,
        sku=variant.sku if variant is not None else None,
        gtin=variant.barcode if variant is not None else None,
        occurred_at=product.time,
        attributes=attributes,
    )
