"""Values of schema.org nodes: texts, offers, properties with units."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.formats.listing import availability, joined_texts
from schemas.formats.row import Row
from schemas.formats.values import plain_text, price

PRODUCTS = {"Product", "ProductGroup", "ProductModel", "IndividualProduct", "SomeProducts", "Vehicle", "Car"}
"""Types that are listings."""

GTINS = ("gtin", "gtin13", "gtin14", "gtin12", "gtin8", "isbn")

_ATTRIBUTES = (
    "color", "size", "material", "pattern", "model", "width", "height", "depth", "weight", "keywords",
)  # fmt: skip
_LIST_PRICES = ("ListPrice", "StrikethroughPrice", "MSRP", "SRP")
UNITS = {"CMT": "cm", "MMT": "mm", "MTR": "m", "INH": "in", "FOT": "ft", "KGM": "kg", "GRM": "g",
          "LBR": "lb", "ONZ": "oz", "LTR": "l", "MLT": "ml", "CLT": "cl", "WTT": "W", "VLT": "V"}  # fmt: skip
"""Units by their codes of UN/CEFACT."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What the offers of a product say."""

    price: dict[str, Any] | None = None
    sale_price: dict[str, Any] | None = None
    availability: str | None = None
    seller: str | None = None
    url: str = ""
    sku: str = ""
    gtin: str = ""


def as_list(value: Any) -> list[Any]:
    """Return a value as a list: none, one, or several; `{"@list": […]}` is its elements."""
    if isinstance(value, Mapping) and isinstance(value.get("@list"), list):
        value = value["@list"]
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def plain_node(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node with plain property names: `name` for `schema:name` and `https://schema.org/name`.

    Microdata, as extruct reads it, has its properties in an object of their own.
    """
    properties = node.get("properties")
    if isinstance(properties, Mapping) and "type" in node:
        node = {**properties, "@type": node["type"], "@id": node.get("id")}
    return {
        key if key.startswith("@") else key.rpartition("/")[2].rpartition(":")[2]: value
        for key, value in node.items()
    }


def types(node: Mapping[str, Any]) -> set[str]:
    """Return the types of a node, without prefixes."""
    names = [name for name in as_list(node.get("@type")) if isinstance(name, str)]
    return {name.rpartition("/")[2].rpartition(":")[2].rpartition("#")[2] for name in names}


def text(value: Any) -> str:
    """Return a value as text: the first of several, the name or address of a node."""
    if isinstance(value, list):
        return next((found for each in value if (found := text(each))), "")
    if isinstance(value, Mapping):
        node = plain_node(value)
        for name in ("@value", "name", "contentUrl", "url", "value", "@id"):
            if found := text(node.get(name)):
                return found
        return ""
    if isinstance(value, bool) or value is None:
        return ""
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _quantity(value: Any) -> str:
    """Text of a value that may have a unit: `30 cm` for a QuantitativeValue."""
    if not isinstance(value, Mapping):
        return joined_texts(map(text, as_list(value)))
    node = plain_node(value)
    unit = text(node.get("unitText")) or text(node.get("unitCode"))
    return f"{text(node.get('value')) or text(node)} {UNITS.get(unit, unit)}".strip()


def node_attributes(row: Row) -> dict[str, str]:
    """Return what a node says of the product itself: its own properties and additional ones."""
    found = {name: plain_text(_quantity(row.get(name))) for name in _ATTRIBUTES}
    condition = text(row.get("itemCondition")).rpartition("/")[2].removesuffix("Condition")
    if condition.lower() not in ("", "new"):
        found["condition"] = condition.lower()
    audience = row.get("audience")
    if isinstance(audience, Mapping):
        node = plain_node(audience)
        found["gender"] = text(node.get("suggestedGender")).rpartition("/")[2].lower()
        found["age_group"] = text(node.get("audienceType"))
    for each in as_list(row.get("additionalProperty")):
        if isinstance(each, Mapping):
            node = plain_node(each)
            found[text(node.get("name")) or text(node.get("propertyID"))] = plain_text(_quantity(each))
    return found


def offered(value: Any, currency: str | None) -> Offered:
    """Return what is offered: the cheapest offer that can be bought, or else the cheapest one.

    Args:
        value: An Offer, an AggregateOffer, or several.
        currency: The currency of offers without one.
    """
    offers = list(_offers(value, currency))
    if not offers:
        return Offered()
    in_stock = [each for each in offers if each.availability in (None, "in_stock")]
    priced = [each for each in in_stock or offers if each.price is not None]
    return min(priced, key=_asked, default=offers[0])


def _asked(offer: Offered) -> float:
    asked = offer.sale_price or offer.price or {"amount": float("inf")}
    return float(asked["amount"])


def _offers(value: Any, currency: str | None) -> Iterator[Offered]:
    for each in as_list(value):
        if not isinstance(each, Mapping):
            continue
        node = plain_node(each)
        inner = [offer for offer in as_list(node.get("offers")) if isinstance(offer, Mapping)]
        if inner and not any(name in node for name in ("price", "lowPrice")):
            yield from _offers(inner, text(node.get("priceCurrency")) or currency)
        else:
            yield _offer(node, currency)


def _offer(node: Mapping[str, Any], currency: str | None) -> Offered:
    money = text(node.get("priceCurrency")) or currency
    current = price(text(node.get("price")) or text(node.get("lowPrice")), money)
    before = None
    for each in as_list(node.get("priceSpecification")):
        if not isinstance(each, Mapping):
            continue
        detail = plain_node(each)
        found = price(text(detail.get("price")), text(detail.get("priceCurrency")) or money)
        if text(detail.get("priceType")).rpartition("/")[2] in _LIST_PRICES:
            before = found
        elif current is None:
            current = found
    on_sale = current is not None and before is not None and before["amount"] > current["amount"]
    return Offered(
        price=before if on_sale else current or before,
        sale_price=current if on_sale else None,
        availability=availability(text(node.get("availability"))),
        seller=text(node.get("seller")) or None,
        url=text(node.get("url")),
        sku=text(node.get("sku")),
        gtin=next((text(node.get(name)) for name in GTINS if node.get(name)), ""),
    )
