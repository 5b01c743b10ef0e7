"""WooCommerce products as JSON: of the REST API (`wc/v3`), of the Store API, and of webhooks."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.formats.listing import availability, in_period, joined_texts, listing, withdrawal
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import path, plain_text, price, utc_time

JSON_KEYS = {
    "permalink",
    "short_description",
    "on_sale",
    "stock_status",
    "prices",
    "parent_id",
    "is_in_stock",
}
"""Keys by which the JSON of a product is recognized."""


def json_events(row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
    """Yield the listing of a product or variation; a product that is not published is withdrawn."""
    own = row.text("id")
    if row.fields.keys() <= {"id", "meta_data", "_links"} or row.text("status") not in ("", "publish"):
        yield withdrawal(own, "id", options, occurred_at=utc_time(row.get("date_modified_gmt")))
        return
    regular, sale = _prices(row, options)
    images = [each.get("src") for each in _objects(row.get("images"))]
    image = row.get("image")
    if isinstance(image, Mapping):
        images.insert(0, image.get("src"))
    addresses = [each for each in images if isinstance(each, str) and each]
    parent = row.text("parent_id")
    kind = row.text("type")
    yield listing(
        own,
        "id",
        options,
        title=plain_text(row.text("name")),
        description=plain_text(row.text("description") or row.text("short_description")),
        brand=next(iter(_names(row.get("brands"))), None),
        price=regular,
        sale_price=sale,
        availability=_availability(row),
        image_url=addresses[0] if addresses else None,
        images=addresses[1:],
        url=row.text("permalink"),
        shop_category=path(_names(row.get("categories"))[:1]),
        group_id=parent if parent not in ("", "0") else (own if kind == "variable" else None),
        sku=row.text("sku"),
        gtin=row.text("global_unique_id"),
        occurred_at=utc_time(row.get("date_modified_gmt")),
        attributes=_attributes(row.get("attributes")) | {"tags": joined_texts(_names(row.get("tags")))},
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _names(value: Any) -> list[str]:
    """The names of terms, from the first; HTML's entities become characters."""
    return [plain_text(each.get("name")) for each in _objects(value) if each.get("name")]


def _availability(row: Row) -> str | None:
    in_stock = row.get("is_in_stock")
    if isinstance(in_stock, bool):
        return "in_stock" if in_stock else "out_of_stock"
    return availability(row.text("stock_status"))


def _prices(row: Row, options: ImportOptions) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Price and sale price. The Store API writes minor units, with the currency."""
    prices = row.get("prices")
    if isinstance(prices, Mapping):
        regular = _minor_units(prices, "regular_price") or _minor_units(prices, "price")
        sale = _minor_units(prices, "sale_price")
        return regular, sale if sale != regular else None
    current = price(row.get("price"), options.currency)
    regular = price(row.get("regular_price"), options.currency) or current
    sale = price(row.get("sale_price"), options.currency)
    period = (row.text("date_on_sale_from_gmt"), row.text("date_on_sale_to_gmt"))
    return regular, sale if in_period(*period, options.now) and sale != regular else None


def _minor_units(prices: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    found = price(prices.get(name), str(prices.get("currency_code") or "") or None)
    digits = prices.get("currency_minor_unit")
    if found is not None and isinstance(digits, int) and 0 <= digits <= 6:
        found["amount"] = round(found["amount"] / 10**digits, digits)
    return found


def _attributes(value: Any) -> dict[str, str]:
    """Attributes: `options` of a product, `option` of a variation, `terms` of the Store API."""
    found: dict[str, str] = {}
    for each in _objects(value):
        name = each.get("name")
        texts = each.get("options") or [each.get("option")]
        texts = [*texts, *_names(each.get("terms"))] if isinstance(texts, list) else []
        if isinstance(name, str):
            found[name] = joined_texts(texts)
    return found
