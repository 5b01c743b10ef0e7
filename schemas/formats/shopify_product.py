"""A Shopify product as its CSV or its JSON describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.formats.listing import joined_texts
from schemas.formats.row import ImportOptions, Row
from schemas.formats.values import plain_text, price, split_path, utc_time

LINES = "(lines)"
"""Where a row of a table keeps the lines of a product."""

PRODUCT_KEYS = {"variants", "body_html", "product_type", "vendor", "handle", "options", "images"}
"""Keys by which the JSON of a product is recognized."""

_NO_OPTION = ("Title", "Default Title")
"""The option of a product that has no variants."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant. `price` is paid now, `before` is the compare-at price. `available` is None if unknown."""

    id: str = ""
    sku: str = ""
    barcode: str = ""
    price: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    options: dict[str, str] = field(default_factory=dict)
    image: str = ""
    available: bool | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product. `options` are the values of all variants; `id_column` is where the id was read from."""

    id: str
    id_column: str
    handle: str
    title: str
    description: str
    vendor: str
    type: str
    category: str | int | None
    own_category: str
    tags: str
    status: str
    published: str = ""
    deleted: bool = False
    time: str | None = None
    options: dict[str, list[str]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)


def product_of_lines(row: Row, options: ImportOptions) -> Product:
    """Return the product of the lines of a CSV file. Its id is the handle, as the file has no other."""
    lines: list[Row] = row.fields[LINES]
    # Lines without a variant add a picture.
    row.used.add(LINES)
    names = [row.text(f"option{number} name") for number in (1, 2, 3)]
    variants = [_variant_of_line(line, names, options) for line in lines if _is_variant(line)]
    google = row.text("google category")
    own = row.text("product category")
    pictures = [line.text("product image url") for line in lines]
    return Product(
        id=row.text("handle"),
        id_column="handle",
        handle=row.text("handle"),
        title=plain_text(row.text("title")),
        description=plain_text(row.text("description")),
        vendor=row.text("vendor"),
        type=row.text("type"),
        category=(int(google) if google.isdecimal() else split_path(google)) or split_path(own),
        own_category=own,
        tags=row.text("tags"),
        status=row.text("status").lower(),
        published=row.text("published").lower(),
        options=_values(variants),
        attributes={"gender": row.text("gender"), "age_group": row.text("age group")},
        images=[picture for picture in pictures if picture],
        variants=variants,
    )


def _is_variant(line: Row) -> bool:
    return bool(line.first("option1 value", "sku", "price"))


def _variant_of_line(line: Row, names: list[str], options: ImportOptions) -> Variant:
    values = [line.text(f"option{number} value") for number in (1, 2, 3)]
    return Variant(
        sku=line.text("sku").lstrip("'"),
        barcode=line.text("barcode"),
        price=price(line.get("price"), options.currency),
        before=price(line.get("compare-at price"), options.currency),
        options=_options(names, values),
        image=line.text("variant image url"),
    )


def _options(names: list[str], values: list[str]) -> dict[str, str]:
    """The options of a variant by name, without the one of a product that has no variants."""
    pairs = [(name, value) for name, value in zip(names, values, strict=False) if name and value]
    return {name: value for name, value in pairs if (name, value) != _NO_OPTION}


def _values(variants: list[Variant]) -> dict[str, list[str]]:
    """The values of each option, in the order of the variants."""
    found: dict[str, list[str]] = {}
    for variant in variants:
        for name, value in variant.options.items():
            if value not in found.setdefault(name, []):
                found[name].append(value)
    return found


def unwrapped(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the product of a webhook: the body itself, or within an event of Amazon EventBridge."""
    detail = value.get("detail")
    if isinstance(detail, Mapping) and isinstance(detail.get("payload"), Mapping):
        return detail["payload"]  # type: ignore[no-any-return]
    for key in ("payload", "body", "product"):
        inner = value.get(key)
        if isinstance(inner, Mapping) and "id" in inner:
            return inner
    return value


def product_of_json(row: Row, options: ImportOptions) -> Product:
    """Return the product of a JSON object. `{"id"}` alone is a deletion, as in products/delete."""
    body = unwrapped(row.fields)
    if body is not row.fields:
        row.used.update(row.fields)
        row = Row(row.place, body, row.used)
    own = row.get("category")
    names = [str(each.get("name") or "") for each in _objects(row.get("options"))]
    variants = [_variant_of_json(each, names, options) for each in _objects(row.get("variants"))]
    pictures = [each.get("src") or each.get("url") for each in _objects(row.get("images"))]
    tags = row.get("tags")
    path = (
        split_path(str(own.get("full_name") or own.get("name") or "")) if isinstance(own, Mapping) else None
    )
    return Product(
        id=row.text("id").rpartition("/")[2],
        id_column="id",
        handle=row.text("handle"),
        title=plain_text(row.text("title")),
        description=plain_text(row.text("body_html")),
        vendor=row.text("vendor"),
        type=row.text("product_type"),
        category=path,
        own_category=path or "",
        tags=joined_texts(tags) if isinstance(tags, list) else row.text("tags"),
        status=row.text("status").lower(),
        deleted=body.keys() <= {"id", "admin_graphql_api_id"},
        time=utc_time(row.get("updated_at")) or utc_time(row.get("created_at")),
        options=_values(variants),
        images=[picture for picture in pictures if isinstance(picture, str)],
        variants=variants,
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; nothing if it is none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _variant_of_json(variant: Mapping[str, Any], names: list[str], options: ImportOptions) -> Variant:
    available = variant.get("available")
    stock = variant.get("inventory_quantity")
    if not isinstance(available, bool) and isinstance(stock, int) and variant.get("inventory_management"):
        available = stock > 0 or variant.get("inventory_policy") == "continue"
    picture = variant.get("featured_image")
    return Variant(
        id=str(variant.get("id") or "").rpartition("/")[2],
        sku=str(variant.get("sku") or ""),
        barcode=str(variant.get("barcode") or ""),
        price=price(variant.get("price"), options.currency),
        before=price(variant.get("compare_at_price"), options.currency),
        options=_options(names, [str(variant.get(f"option{number}") or "") for number in (1, 2, 3)]),
        image=str(picture.get("src") or "") if isinstance(picture, Mapping) else "",
        available=available if isinstance(available, bool) else None,
    )
