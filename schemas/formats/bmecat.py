"""BMEcat 1.2 and 2005: the XML of product catalogs between companies.

`T_NEW_CATALOG` and `T_UPDATE_PRODUCTS` are read: ARTICLE (1.2) and PRODUCT (2005) with their details,
features (ECLASS, ETIM), prices and pictures. Catalog groups become the shop's category.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO

from schemas.formats.extras import required_extra
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.json_ld_values import UNITS
from schemas.formats.listing import joined_texts, listing, withdrawal
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import path, plain_text, price
from schemas.formats.xml_rows import add, local_name, nested, xml_rows

CATALOG = "(catalog)"
"""Where a row keeps what the header and the groups say."""

_GROUPS = {"CATALOG_STRUCTURE"}
_MAPS = {"ARTICLE_TO_CATALOGGROUP_MAP", "PRODUCT_TO_CATALOGGROUP_MAP"}
_PRICES = ("ARTICLE_PRICE", "PRODUCT_PRICE")
_PRICE_TYPES = ("nrp", "udp_gross_price", "gros_list", "net_list", "net_customer")
"""Types of prices, those that a shopper pays first."""

_DEEPEST = 30


@dataclass(slots=True)
class Catalog:
    """What a catalog says of all products.

    Args:
        language: The default language of texts.
        currency: The default currency of prices.
        names: Name and parent of each group.
        groups: The group of each product, the first of several.
    """

    language: str | None = None
    currency: str | None = None
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def see(self, element: Any) -> None:
        """Take what an element outside of products says."""
        name = local_name(element.tag) if isinstance(element.tag, str) else ""
        if name == "LANGUAGE" and (self.language is None or element.get("default") == "true"):
            self.language = two_letters((element.text or "").strip())
        elif name == "CURRENCY" and element.text and self.currency is None:
            self.currency = element.text.strip().upper()
        elif name in _GROUPS:
            group = nested(element)
            self.names[_text(group, "GROUP_ID")] = (_text(group, "GROUP_NAME"), _text(group, "PARENT_ID"))
        elif name in _MAPS:
            pair = nested(element)
            product = _text(pair, "ART_ID") or _text(pair, "PROD_ID")
            self.groups.setdefault(product, _text(pair, "CATALOG_GROUP_ID"))

    def path(self, product_id: str) -> str | None:
        """Return the path of a product's group. The root, which names the catalog, is left out."""
        levels: list[str] = []
        group = self.groups.get(product_id, "")
        while group in self.names and len(levels) < _DEEPEST:
            name, parent = self.names[group]
            if parent not in ("", "0") or not levels:
                levels.append(name)
            group = parent
        return path(reversed(levels))


class BmeCat(Format):
    """A BMEcat catalog."""

    name = "bmecat"
    kind = Kind.PRODUCTS
    title = "BMEcat 1.2 or 2005: XML"
    reads_twice = True

    def matches(self, head: Head) -> float:
        """The root element."""
        return 0.98 if head.tags[:1] and local_name(head.tags[0]) == "BMECAT" else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Products. The groups are read first, as products are assigned to them at the end of the file."""
        catalog = Catalog()
        for _ in xml_rows(stream, ("ARTICLE", "PRODUCT"), lambda element: {}, catalog.see, _GROUPS | _MAPS):
            pass
        stream.seek(0)
        for row in xml_rows(stream, ("ARTICLE", "PRODUCT"), _fields):
            row.fields = {**row.fields, CATALOG: catalog}
            yield row

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One listing per product; one with the mode `delete` is withdrawn."""
        catalog: Catalog = row.fields[CATALOG]
        product_id = row.first("SUPPLIER_AID", "SUPPLIER_PID")
        if row.text("mode") == "delete":
            yield withdrawal(product_id, "SUPPLIER_PID", options)
            return
        language = options.language or catalog.language
        details = row.get("ARTICLE_DETAILS") or row.get("PRODUCT_DETAILS")
        details = details if isinstance(details, Mapping) else {}
        attributes, classes = _features(
            [*_list(row.get("ARTICLE_FEATURES")), *_list(row.get("PRODUCT_FEATURES"))], language
        )
        pictures = _pictures(row.get("MIME_INFO"))
        prices = [*_list(row.get("ARTICLE_PRICE_DETAILS")), *_list(row.get("PRODUCT_PRICE_DETAILS"))]
        yield listing(
            product_id,
            "SUPPLIER_PID",
            options,
            title=plain_text(_text(details, "DESCRIPTION_SHORT", language)),
            description=plain_text(_text(details, "DESCRIPTION_LONG", language)),
            brand=_text(details, "MANUFACTURER_NAME", language),
            price=_price(prices, options.currency or catalog.currency),
            image_url=pictures[0] if pictures else None,
            images=pictures[1:],
            shop_category=catalog.path(product_id) or path(classes),
            sku=product_id,
            gtin=_text(details, "EAN") or _text(details, "INTERNATIONAL_PID"),
            language=language,
            attributes=attributes | {"keywords": joined_texts(_texts(details, "KEYWORD", language))},
        )


@lru_cache(maxsize=64)
def two_letters(code: str) -> str | None:
    """Return a language's code of ISO 639-1 for one of ISO 639-2, such as `de` for `deu` or `ger`."""
    with required_extra("Reading languages"):
        from babel.core import get_global
    code = code.lower()
    if len(code) == 2:
        return code
    found = get_global("language_aliases").get(code, "")
    return found if len(found) == 2 else None


def _fields(element: Any) -> dict[str, Any]:
    fields = {"mode": element.get("mode", "")}
    for child in element:
        if isinstance(child.tag, str):
            add(fields, local_name(child.tag), _translated(child))
    return fields


class Translated(str):
    """A text with the language of its element; `lang` is empty if the element names none."""

    lang: str = ""


def _translated(element: Any) -> Any:
    """An element as `nested` returns it, with languages of texts and the types of prices."""
    children = [child for child in element if isinstance(child.tag, str)]
    if not children:
        text = Translated((element.text or "").strip())
        text.lang = element.get("lang", "")
        return text
    found: dict[str, Any] = {"price_type": element.get("price_type", "")}
    for child in children:
        add(found, local_name(child.tag), _translated(child))
    return found


def _list(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, Mapping)]


def _texts(values: Any, name: str, language: str | None = None) -> list[str]:
    """The texts of an element in a language; those of the first language if there are none in it."""
    value = values.get(name) if isinstance(values, Mapping) else None
    texts = [
        each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str) and each
    ]
    languages = {each: getattr(each, "lang", "") for each in texts}
    wanted = [each for each in texts if languages[each] and two_letters(languages[each]) == language]
    return wanted or [each for each in texts if languages[each] == languages[texts[0]]]


def _text(values: Any, name: str, language: str | None = None) -> str:
    return next(iter(_texts(values, name, language)), "")


def _features(groups: list[Any], language: str | None) -> tuple[dict[str, str], list[str]]:
    """The features of a product by name, with the number of its class; and the name of the class."""
    found: dict[str, str] = {}
    classes: list[str] = []
    for group in groups:
        system = _text(group, "REFERENCE_FEATURE_SYSTEM_NAME")
        number = _text(group, "REFERENCE_FEATURE_GROUP_ID")
        classes += _texts(group, "REFERENCE_FEATURE_GROUP_NAME", language)[:1]
        if system and number:
            found[system] = number
        for feature in _list(group.get("FEATURE")):
            unit = _text(feature, "FUNIT", language)
            unit = UNITS.get(unit, unit)
            values = joined_texts(_texts(feature, "FVALUE", language))
            found[_text(feature, "FNAME", language)] = (
                f"{values} {unit}".strip() if values not in ("", "-") else ""
            )
    return found, classes[:1]


def _price(details: list[Any], currency: str | None) -> dict[str, Any] | None:
    """The price that a shopper pays, or else the first of the types that are nearest to it."""
    prices = [
        each
        for detail in details
        for name in ("ARTICLE_PRICE", "PRODUCT_PRICE")
        for each in _list(detail.get(name))
    ]
    order = {name: number for number, name in enumerate(_PRICE_TYPES)}
    prices.sort(key=lambda each: order.get(_text(each, "price_type"), len(order)))
    for each in prices:
        found = price(_text(each, "PRICE_AMOUNT"), _text(each, "PRICE_CURRENCY").upper() or currency)
        if found is not None:
            return found
    return None


def _pictures(value: Any) -> list[str]:
    """The sources of pictures in their order."""
    mimes = [mime for info in _list(value) for mime in _list(info.get("MIME"))]
    return [
        _text(mime, "MIME_SOURCE") for mime in mimes if _text(mime, "MIME_TYPE").lower().startswith("image")
    ]
