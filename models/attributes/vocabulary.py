"""Shopify's attributes as a controlled vocabulary: which a category has, and the ids of their values.

The categories of Google's and of Shopify's tree, and of trees with Google ids, have a list of attributes. An
attribute that a text states and that the category cannot have is a misreading: `gender` of a hose. What the
listing's own fields say is kept. Values that the vocabulary has get its ids.
"""

import gzip
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from models.shipped import PRETRAINED
from models.taxonomy.tree import GOOGLE_VERSION, SHOPIFY_VERSION, Node
from schemas.events import Attribute, MappedAttribute

_FOLDER = PRETRAINED / "taxonomy" / "shopify"
ATTRIBUTES_FILE = _FOLDER / "category_attributes.tsv.gz"
VALUES_FILE = _FOLDER / "attribute_values.tsv.gz"
_MADE_FOR = "suitable_for_"
_GENDER = "target_gender"
_NAMES = {"colour": "color", "gender": _GENDER, "age_group": "age_group"}
_PARTS = frozenset(
    [
        "backing", "backrest_upholstery", "band", "blade", "body", "butt_cap", "core", "cover",
        "embellishment/trim", "eyewear_lens", "filler", "frame", "handle", "housing", "insulation", "leg",
        "lid", "mount", "needle", "rod", "seat_upholstery", "shell/frame", "slat", "spool", "top", "tabletop",
        "upholstery",
    ]
)  # fmt: skip
"""Parts of products whose materials Shopify lists apart."""
_TEXTS = ("title", "description")
_LACE_LIKE = frozenset({"lace", "chiffon", "georgette"})
"""Fabrics that Shopify does not name. They occur where its list of fabrics has velvet, so not in shoes."""
_LACE_BESIDE = "velvet"
_TEXTILES = frozenset({"cashmere", "cotton", "linen", "lycra", "rayon", "satin", "silk", "velvet", "wool"})
_METALS = frozenset(
    {"alloy", "aluminium", "brass", "cast iron", "iron", "stainless steel", "steel", "sterling silver"}
)
_UNGENDERED = frozenset(
    {
        "Animals & Pet Supplies",
        "Cameras & Optics",
        "Food, Beverages & Tobacco",
        "Furniture",
        "Hardware",
        "Home & Garden",
        "Office Supplies",
        "Religious & Ceremonial",
        "Software",
    }
)
"""Departments without a category that has a gender, less those that shops nevertheless divide by it: bags and
toys."""


def is_material(attribute: str) -> bool:
    """Whether an attribute of Shopify's is a material of the product or of a part of it."""
    named = attribute == "fabric" or attribute == "material" or attribute.endswith("_material")
    return named and not attribute.startswith(_MADE_FOR)


class CategoryAttributes(NamedTuple):
    """Shopify's attributes of a category.

    Attributes:
        own: Those of the category itself.
        all: Those of the categories below it, too.
    """

    own: tuple[str, ...]
    all: tuple[str, ...]


class Vocabulary:
    """The attributes of categories and the ids of their values.

    Args:
        attributes: Attributes by Google id, a number, or by Shopify's code.
        values: The value's id by Shopify's attribute and our value.
    """

    def __init__(
        self, attributes: dict[int | str, CategoryAttributes], values: dict[str, dict[str, str]]
    ) -> None:
        self._attributes, self._values = attributes, values

    @classmethod
    def shipped(cls) -> "Vocabulary":
        """The vocabulary of the shipped edition of Shopify's taxonomy, read once."""
        return _shipped()

    def attributes_of(self, node: Node, version: str) -> CategoryAttributes | None:
        """The attributes of a category; None if the vocabulary does not know it.

        Args:
            node: The category.
            version: The version of its tree.
        """
        if version == SHOPIFY_VERSION:
            return self._attributes.get(node.code)
        number = node.id if version == GOOGLE_VERSION else node.google_id
        return None if number is None else self._attributes.get(number)

    def checked(self, found: Sequence[Attribute], node: Node, version: str) -> list[Attribute]:
        """The attributes that a category can have, with the vocabulary's ids.

        Args:
            found: Attributes of a listing.
            node: The listing's category.
            version: The version of the category's tree.
        """
        attributes = self.attributes_of(node, version)
        if attributes is None:
            return list(found)
        materials = [name for name in attributes.all if is_material(name)]
        return [
            self._with_id(each, attributes)
            for each in found
            if each.evidence.field not in _TEXTS or self._is_possible(each, node, attributes.all, materials)
        ]

    def _is_possible(
        self, attribute: Attribute, node: Node, attributes: tuple[str, ...], materials: Sequence[str]
    ) -> bool:
        if attribute.name == "gender":
            return _GENDER in attributes or node.names[0] not in _UNGENDERED
        if attribute.name != "material":
            return True
        if attribute.value in _LACE_LIKE:
            return any(_LACE_BESIDE in self._values.get(name, {}) for name in materials)
        if attribute.value in _TEXTILES:
            return self._has_any(_TEXTILES, materials)
        # Shopify gives no material to many things of metal, but clothing has a list of fabrics alone.
        return attribute.value not in _METALS or not materials or self._has_any(_METALS, materials)

    def _has_any(self, wanted: frozenset[str], materials: Sequence[str]) -> bool:
        return any(not wanted.isdisjoint(self._values.get(name, {})) for name in materials)

    def _with_id(self, attribute: Attribute, attributes: CategoryAttributes) -> Attribute:
        if attribute.name == "material":
            names = _materials_of(attributes)
        else:
            names = [name for name in attributes.all if name == _NAMES.get(attribute.name)]
        for name in names:
            if (identifier := self._values.get(name, {}).get(attribute.value)) is not None:
                mapped = MappedAttribute(taxonomy=SHOPIFY_VERSION, attribute=name, value=identifier)
                return msgspec.structs.replace(attribute, mapped=mapped)
        return attribute


def _materials_of(attributes: CategoryAttributes) -> list[str]:
    """The attributes for a product's material, the plainest first; of those from below only a single one."""
    own = sorted(filter(_is_whole, attributes.own), key=lambda name: name not in ("fabric", "material"))
    below = [name for name in attributes.all if _is_whole(name)]
    return own or (below if len(below) == 1 else [])


def _is_whole(attribute: str) -> bool:
    """Whether an attribute is the material of a product, as `footwear_material`, and not of a part of it."""
    return is_material(attribute) and attribute.removesuffix("_material") not in _PARTS


@cache
def _shipped() -> Vocabulary:
    attributes: dict[int | str, CategoryAttributes] = {}
    for own, names, google_ids, codes in _rows(ATTRIBUTES_FILE):
        shared = CategoryAttributes(tuple(own.split()), tuple(names.split()))
        attributes |= dict.fromkeys(map(int, google_ids.split()), shared)
        attributes |= dict.fromkeys(codes.split(), shared)
    values: dict[str, dict[str, str]] = {}
    for attribute, value, identifier in _rows(VALUES_FILE):
        values.setdefault(attribute, {})[value] = identifier
    return Vocabulary(attributes, values)


def _rows(path: Path) -> list[list[str]]:
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    return [line.split("\t") for line in text.splitlines()[1:]]
