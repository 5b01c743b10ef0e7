"""What a listing says about its category beside its title: its own category, type, brand and material.

Only fields of a vocabulary are read. All others (availability, shipping, prices, sizes, colors, identifiers,
options) say nothing about the category and must not change it.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from models.shipped import PRETRAINED
from models.text.cleaning import clean
from models.text.markup import plain_text
from models.text.promotions import clean_title
from schemas.events import ProductCreated

EVIDENCE_CHARACTERS = 200
"""The most characters of one kind of evidence."""
_SEPARATOR = re.compile(r"\s*(?:>|»|›|→|\|)\s*")
_NAME = re.compile(r"[\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SHIPPED = PRETRAINED / "lexicons" / "category_fields.tsv"


class ListingText(NamedTuple):
    """The texts of a listing that decide its category. All are cleaned.

    Attributes:
        text: The title, with its description where that is read. Without either it is empty, and the evidence
            decides nothing.
        path: The shop's own category of at least two levels, as words.
        type: What the product is, by a field or by a category of one level.
        brand: The brand, if the title does not name it.
        details: Material, form, style and the like.
    """

    text: str
    path: str = ""
    type: str = ""
    brand: str = ""
    details: str = ""

    @property
    def length(self) -> int:
        """The number of characters of all parts."""
        return sum(map(len, self))

    @property
    def has_evidence(self) -> bool:
        """Whether anything but the text is given."""
        return any(self[1:])


def listing_text(product: ProductCreated, shop_path: str | None) -> ListingText:
    """The texts of a listing without its description.

    Args:
        product: The listing, without markup.
        shop_path: The shop's own category, its levels joined by ` > `.

    Returns:
        The texts. If the title says nothing, the description stands for it.
    """
    title = title_words(product.title)
    path, kind = "", ""
    types, details = _fields(product.attributes) if product.attributes else ([], "")
    for value in [shop_path, *types] if shop_path else types:
        levels = category_levels(value)
        if len(levels) > 1 and not path:
            path = _joined(levels)
        elif levels and not kind:
            kind = _joined(levels)
    text = title or clean(product.description)
    brand = clean(plain_text(product.brand))[:EVIDENCE_CHARACTERS] if product.brand else ""
    if brand and brand in text:
        brand = ""
    return ListingText(text, path, kind, brand, details)


def title_words(title: str) -> str:
    """The cleaned title without promotions; empty if it has no letter, or stands for none, such as `N/A`."""
    text = clean_title(title)
    if not any(map(str.isalpha, text)) or _normal(text) in _vocabulary()["empty title"]:
        return ""
    return text


def category_levels(value: str) -> list[str]:
    """The levels of a shop's category that say something, cleaned, without repetitions."""
    names = _vocabulary()["empty level"]
    levels = [clean(level) for level in _SEPARATOR.split(plain_text(value).strip())]
    return list(dict.fromkeys(level for level in levels if level and _normal(level) not in names))


def _fields(attributes: Mapping[str, str]) -> tuple[list[str], str]:
    """The values of fields that say what the product is, and the text of those that hint at it."""
    types: list[str] = []
    details: list[str] = []
    for name, value in attributes.items():
        kind = attribute_kind(name)
        if kind == "type":
            types.append(value)
        elif kind == "detail":
            details.append(clean(plain_text(value)))
    return types, " ".join(dict.fromkeys(details))[:EVIDENCE_CHARACTERS].strip()


def attribute_kind(name: str) -> str | None:
    """What an attribute is evidence of: `type` or `detail`; None if it says nothing about the category."""
    normal = _normal(_CAMEL.sub(" ", name))
    return next((kind for kind in ("type", "detail") if normal in _vocabulary()[kind]), None)


def _joined(levels: list[str]) -> str:
    return " ".join(levels)[:EVIDENCE_CHARACTERS].strip()


def _normal(name: str) -> str:
    return _NAME.sub(" ", name.lower()).strip()


@lru_cache(1)
def _vocabulary() -> Mapping[str, frozenset[str]]:
    """Names of fields that name a product (`type`) or hint at it (`detail`); empty levels and titles."""
    rows = [line.split("\t") for line in _SHIPPED.read_text(encoding="utf-8").splitlines()[1:]]
    return {
        kind: frozenset(name for name, of in rows if of == kind)
        for kind in ("type", "detail", "empty level", "empty title")
    }
