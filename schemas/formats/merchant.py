"""Google Merchant Center: product feeds as tables (TSV, CSV), RSS 2.0 or Atom.

Attributes and their forms are those of Google's product data specification. One item is one variant, and
`item_group_id` joins the variants of a product.
"""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.listing import availability, in_period, listing
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import plain_text, price, split_path
from schemas.formats.xml_rows import add, local_name, nested, xml_rows

NAMESPACE = "http://base.google.com/ns/1.0"

ATTRIBUTES = (
    "color",
    "size",
    "material",
    "pattern",
    "gender",
    "age_group",
    "size_type",
    "size_system",
    "product_length",
    "product_width",
    "product_height",
    "product_weight",
    "unit_pricing_measure",
    "energy_efficiency_class",
    "condition",
)
"""Feed attributes that say what the product is. `condition` is kept unless it is new."""

_LISTS = {"additional_image_link", "product_type", "product_detail", "product_highlight"}
_COLUMNS = {
    "id", "title", "description", "link", "image_link", "price", "availability", "brand", "gtin", "mpn",
    "google_product_category", "product_type", "item_group_id", "condition", "sale_price", "color", "size",
}  # fmt: skip
_REQUIRED = {"id", "title"}
_TELLING = {"google_product_category", "item_group_id", "image_link", "sale_price", "product_type", "mpn"}


class Merchant(Format):
    """A product feed for Google Merchant Center."""

    name = "merchant"
    kind = Kind.PRODUCTS
    title = "Google Merchant Center feed: TSV, CSV, RSS 2.0 or Atom"

    def matches(self, head: Head) -> float:
        """A `g:` namespace or prefix, or a header with the names of the specification."""
        if head.is_markup:
            if NAMESPACE in head.text[:4000] or any(tag.startswith("g:") for tag in head.tags):
                return 0.95
            return 0.0
        columns = {_name(column) for column in head.columns}
        if not columns >= _REQUIRED:
            return 0.0
        known = len(columns & _COLUMNS)
        return min(0.9, 0.1 * known) if columns & _TELLING and known >= 5 else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Items of XML, or lines of a table."""
        start = stream.read(4096)
        rewound = joined(start, stream)
        if start.lstrip()[:1] == b"<":
            yield from xml_rows(rewound, ("item", "entry"), _fields)
        else:
            yield from csv_rows(rewound, required=("id",), rename=_name)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One listing per item."""
        regular = price(row.get("price"), options.currency)
        currency = (regular or {}).get("currency", options.currency)
        sale = price(row.get("sale_price"), currency)
        start, _, end = row.text("sale_price_effective_date").partition("/")
        if sale is not None and not in_period(start, end, options.now):
            sale = None
        images = _texts(row.get("additional_image_link"))
        attributes = {name: plain_text(row.text(name)) for name in ATTRIBUTES if name in row.fields}
        if attributes.get("condition", "").lower() == "new":
            del attributes["condition"]
        attributes |= _details(row.get("product_detail"))
        types = _texts(row.get("product_type"), separator=None)
        yield listing(
            row.text("id"),
            "id",
            options,
            title=plain_text(row.text("title")),
            description=plain_text(row.first("description", "summary", "content")),
            brand=row.text("brand"),
            price=regular,
            sale_price=sale,
            availability=availability(row.text("availability")),
            image_url=row.text("image_link"),
            images=images,
            url=row.first("link", "canonical_link"),
            category=_category(row.text("google_product_category")),
            shop_category=split_path(types[0]) if types else None,
            group_id=row.text("item_group_id"),
            gtin=row.text("gtin"),
            language=row.text("content_language"),
            attributes=attributes,
        )


def _name(column: str) -> str:
    """A column's name as in XML: `image link` and `g:image_link` are `image_link`; `(en)` suffixes go."""
    return column.strip().lower().removeprefix("g:").partition("(")[0].strip().replace(" ", "_")


def _fields(item: Any) -> dict[str, Any]:
    """The fields of an item or entry. A `g:` element goes before one of RSS or Atom with the same name."""
    own: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for child in item:
        if not isinstance(child.tag, str):
            continue
        name = local_name(child.tag)
        value = nested(child) or child.get("href", "")
        if child.tag.startswith(("{" + NAMESPACE, "g:")):
            add(own, name, value)
        else:
            add(plain, name, value)
    return plain | own


def _texts(value: Any, separator: str | None = ",") -> list[str]:
    """The texts of an attribute that can be given several times: in XML repeated, in tables with commas."""
    values = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str)]
    if separator is not None:
        texts = [part for text in texts for part in text.split(separator)]
    return [text.strip() for text in texts if text.strip()]


def _category(text: str) -> str | int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else split_path(text)


def _details(value: Any) -> dict[str, str]:
    """`product_detail`: section, name and value in XML; `section:name:value` with commas in tables."""
    found: dict[str, str] = {}
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, Mapping):
            name, text = each.get("attribute_name"), each.get("attribute_value")
            if isinstance(name, str) and isinstance(text, str):
                found[name] = plain_text(text)
        elif isinstance(each, str):
            for part in each.split(","):
                cells = part.split(":")
                if len(cells) == 3 and cells[1].strip():
                    found[cells[1].strip()] = cells[2].strip()
    return found
