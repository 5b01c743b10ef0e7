"""Magento and Adobe Commerce: the CSV of the product export.

Each row is a listing, and `group_id` joins a configurable product with its variations. Rows of a store view
translate a product; they are left out, unless the product has no other row: then its first one counts.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.listing import deepest, in_period, joined_texts, listing
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import plain_text, price, utc_time

GROUP = "(group)"
"""Where a row keeps the SKU of the configurable product that it belongs to."""
TRANSLATES = "(translates)"
"""Where a row keeps that it translates a product that has another row."""

_COLUMNS = {
    "sku", "attribute_set_code", "product_type", "product_websites", "product_online", "tax_class_name",
    "additional_attributes", "configurable_variations", "base_image", "url_key", "store_view_code",
}  # fmt: skip
_ATTRIBUTE = re.compile(r"(?:^|,)\"?([A-Za-z][A-Za-z0-9_]*)=")
_VARIATION = re.compile(r"(?:^|\|)sku=([^,|]+)")
_NOT_SAYING = {
    "has_options", "required_options", "quantity_and_stock_status", "sw_featured", "gift_message_available",
    "ts_dimensions_length", "msrp_display_actual_price_type", "is_returnable", "news_from_date",
}  # fmt: skip
"""Additional attributes that say nothing of what the product is."""

_SWITCH = re.compile(r"yes|no|use config|-?[0.]+", re.IGNORECASE)
"""Values of attributes that switch a feature of the shop on or off."""
_IN_STOCK = {"1": "in_stock", "0": "out_of_stock"}
_BRANDS = ("brand", "manufacturer")
_BARCODES = ("gtin", "ean", "upc", "barcode")


class Magento(Format):
    """Products of a Magento shop."""

    name = "magento"
    kind = Kind.PRODUCTS
    title = "Magento or Adobe Commerce products: CSV export"
    reads_twice = True

    def matches(self, head: Head) -> float:
        """The columns of the export."""
        found = len(_COLUMNS & head.columns)
        return 0.95 if found >= 5 and "sku" in head.columns else 0.4 * (found >= 3)

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Products. The variations of the configurable ones are read first, as they stand before them."""
        groups: dict[str, str] = {}
        known: set[str] = set()
        for row in csv_rows(stream):
            if not row.fields.get("store_view_code", "").strip():
                known.add(row.fields.get("sku", "").strip())
            for sku in _VARIATION.findall(row.fields.get("configurable_variations", "")):
                groups[sku.strip()] = row.fields.get("sku", "").strip()
        stream.seek(0)
        for row in csv_rows(stream, required=("sku",)):
            if row.fault is None:
                sku = row.fields.get("sku", "").strip()
                own = sku if row.fields.get("configurable_variations") else ""
                view = row.fields.get("store_view_code", "").strip()
                translates = view if sku in known else ""
                row.fields = {**row.fields, GROUP: groups.get(sku, own), TRANSLATES: translates}
                known.add(sku)
            yield row

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One listing per product. One that is disabled, or of a store view, is none."""
        row.used.add("store_view_code")
        if row.fields[TRANSLATES] or row.text("product_online") == "2":
            return
        more = additional_attributes(row.text("additional_attributes"))
        sale = price(row.get("special_price"), options.currency)
        period = (row.text("special_price_from_date"), row.text("special_price_to_date"))
        if sale is not None and not in_period(*period, options.now):
            sale = None
        pictures = [row.first("base_image", "small_image", "thumbnail_image")]
        pictures += row.text("additional_images").split(",")
        images = list(dict.fromkeys(_picture(each.strip(), options) for each in pictures if each.strip()))
        key = row.text("url_key")
        row.used.add("configurable_variations")
        yield listing(
            row.text("sku"),
            "sku",
            options,
            title=plain_text(row.text("name")),
            description=plain_text(row.text("description") or row.text("short_description")),
            brand=next((more[name] for name in _BRANDS if more.get(name)), None),
            price=price(row.get("price"), options.currency),
            sale_price=sale,
            availability={"1": "in_stock", "0": "out_of_stock"}.get(
                row.text("is_in_stock").partition(".")[0]
            ),
            image_url=images[0] if images else None,
            images=images[1:],
            url=f"{options.shop_url.rstrip('/')}/{key}.html" if options.shop_url and key else None,
            shop_category=_category(row.text("categories")),
            group_id=row.fields[GROUP],
            sku=row.text("sku"),
            gtin=next((more[name] for name in _BARCODES if more.get(name)), None),
            occurred_at=utc_time(row.text("updated_at")),
            attributes={"attribute_set": _set_name(row), **_saying(more)},
        )


def additional_attributes(text: str) -> dict[str, str]:
    """Return the attributes of `color=Red,style=Plain|Soft`. A value may contain commas, but no `,name=`."""
    found: dict[str, str] = {}
    marks = list(_ATTRIBUTE.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        value = text[mark.end() : following.start() if following is not None else len(text)]
        found[mark[1]] = joined_texts(value.strip().strip('"').replace('""', '"').split("|"))
    return found


def _saying(attributes: dict[str, str]) -> dict[str, str]:
    known = {*_NOT_SAYING, *_BRANDS, *_BARCODES}
    saying = {name: plain_text(text) for name, text in attributes.items() if name not in known}
    return {name: text for name, text in saying.items() if not _SWITCH.fullmatch(text)}


def _set_name(row: Row) -> str:
    name = row.text("attribute_set_code")
    return "" if name.lower() == "default" else name


def _category(text: str) -> str | None:
    """The deepest of `Default Category/Gear,Default Category/Gear/Bags`, without the root of the catalog."""
    paths = [part.split("/")[1:] or part.split("/") for part in re.split(r"[,|](?=[^,|]*/|[^,|]*$)", text)]
    return deepest(" > ".join(levels) for levels in paths)


def _picture(file: str, options: ImportOptions) -> str:
    """The address of a picture. The export has its place below `media/catalog/product`."""
    if "://" in file or not options.shop_url:
        return file
    return f"{options.shop_url.rstrip('/')}/media/catalog/product/{file.lstrip('/')}"
