"""Attributes that the text states, each with the place where it does: brand, colour, gender, material, size.

What a shop says in its own fields wins over the title, and the title over the description.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from models.lexicon import Lexicon
from models.measures import Found, find_measures
from models.text import MAX_CHARACTERS, fold
from schemas.events import Attribute, Evidence, ProductCreated

Field = Literal["title", "description", "brand", "attributes"]
ORDER = ("brand", "colour", "gender", "material", "size", "pack_quantity")
_NOT_OF_FOOD = frozenset({"colour", "gender", "material"})
_SEX = {"men": "male", "boys": "male", "women": "female", "girls": "female"}
_BRAND_WORD = re.compile(r"[a-z0-9][a-z0-9'&.]*|&")
_MOST_VALUES = {"colour": 3, "material": 3}

# The share right where people's labels exist: English genders and colours on 28,855 fashion titles (0.988 of
# the 92% and 0.922 of the 91% that say one), Chinese genders on 38 titles. All others are cautious guesses.
_TITLE_CONFIDENCE = {"colour": 0.92, "gender": 0.98, "material": 0.85, "size": 0.9, "pack_quantity": 0.9}
_CHINESE_CONFIDENCE = {"colour": 0.85, "gender": 0.87, "material": 0.8}
_FIELD_CONFIDENCE = 0.95
_DESCRIPTION_FACTOR = 0.8

_FIELD_NAMES = {
    "brand": "brand", "品牌": "brand",
    "color": "colour", "colour": "colour", "base_colour": "colour", "颜色": "colour", "颜色分类": "colour",
    "gender": "gender", "适用性别": "gender", "性别": "gender",
    "material": "material", "fabric": "material", "材质": "material", "面料": "material",
    "size": "size", "尺码": "size", "净含量": "size", "化妆品净含量": "size",
}  # fmt: skip
_NO_BRAND = frozenset(
    {
        "other",
        "others",
        "other/其他",
        "other其他",
        "其他",
        "其他品牌",
        "其他/other",
        "na",
        "n/a",
        "none",
        "no brand",
    }
    | {
        "unknown",
        "unbranded",
        "generic",
        "not specified",
        "regular",
        "slim",
        "regular fit",
        "slim fit",
        "无",
        "无品牌",
    }
)


def attributes_text(attributes: Mapping[str, str]) -> str:
    """What evidence in the field `attributes` points into: `name: value` lines, in the event's order."""
    return "\n".join(f"{name}: {value}" for name, value in attributes.items())


def field_text(product: ProductCreated, field: str) -> str:
    """The text that evidence in `field` points into."""
    if field == "attributes":
        return attributes_text(product.attributes)
    return {"title": product.title, "description": product.description, "brand": product.brand or ""}[field]


def brand_key(folded: str) -> str:
    """The form of a Latin brand that brands are compared by: its words, single spaces."""
    return " ".join(_BRAND_WORD.findall(folded))


def is_brand(text: str) -> bool:
    """Whether a shop's brand field says a brand, rather than `other`, a fit or nothing."""
    folded = fold(text.strip())
    return bool(folded) and len(folded) <= 80 and folded not in _NO_BRAND


class AttributeExtractor:
    """Finds attributes by word lists and patterns. Thread-safe; never raises for odd text.

    Args:
        lexicon: Words for colours, genders and materials.
        brands: Names by their folded form, as titles start with them.
        brand_precision: The measured precision of those.
    """

    def __init__(self, lexicon: Lexicon, brands: Mapping[str, str], brand_precision: float) -> None:
        self._lexicon, self._brands, self._brand_precision = lexicon, brands, brand_precision
        self._longest_brand = max((len(form.split()) for form in brands), default=0)
        self._chinese_brands = _alternation(form for form in brands if not form.isascii())

    def extract(
        self, product: ProductCreated, *, looks: bool = True, edible: bool = False
    ) -> list[Attribute]:
        """The product's attributes, in the order of `ORDER`, then of their place.

        Args:
            product: The listing.
            looks: Whether it is a thing whose looks matter, so that `cream` is a colour.
            edible: Whether it is food, whose colours and materials are flavours and brands.
        """
        chosen: dict[str, list[Attribute]] = {}
        for field, text, found in self._sources(product, looks):
            already = set(chosen)
            for item in found:
                if item.name in already or (edible and item.name in _NOT_OF_FOOD):
                    continue
                _add(chosen.setdefault(item.name, []), item, field, text)
        if len(genders := chosen.get("gender", [])) > 1:
            chosen["gender"] = [_unite(genders)]
        return [attribute for name in ORDER for attribute in chosen.get(name, ())]

    def _sources(self, product: ProductCreated, looks: bool) -> Iterator[tuple[Field, str, list[Found]]]:
        """What each field says, the most trustworthy field first."""
        if product.brand:
            yield "brand", product.brand, self._in_brand(product.brand)
        if product.attributes:
            yield "attributes", attributes_text(product.attributes), self._in_attributes(product.attributes)
        title = product.title[:MAX_CHARACTERS]
        folded = fold(title)
        yield "title", title, [*self._brand_at_start(title, folded), *self._in_text(folded, looks, 1.0)]
        if product.description:
            description = product.description[:MAX_CHARACTERS]
            yield "description", description, self._in_text(fold(description), looks, _DESCRIPTION_FACTOR)

    def _in_brand(self, brand: str) -> list[Found]:
        value = brand.strip()
        if not is_brand(value) or self._lexicon.exact(fold(value)) is not None:
            return []
        start = brand.index(value)
        return [Found("brand", value, start, start + len(value), _FIELD_CONFIDENCE)]

    def _in_attributes(self, attributes: Mapping[str, str]) -> list[Found]:
        found: list[Found] = []
        start = 0
        for key, value in attributes.items():
            place = start + len(key) + len(": ")
            start = place + len(value) + 1
            name = _FIELD_NAMES.get(fold(key.strip()))
            if name == "brand":
                items = self._in_brand(value)
            elif name is None:
                continue
            elif name in ("size", "pack_quantity"):
                items = [item for item in find_measures(fold(value), _FIELD_CONFIDENCE) if item.name == name]
            else:
                items = [item for item in self._in_text(fold(value), True, 1.0) if item.name == name]
            found.extend(
                item._replace(start=item.start + place, end=item.end + place, confidence=_FIELD_CONFIDENCE)
                for item in items
            )
        return found

    def _in_text(self, folded: str, looks: bool, factor: float) -> list[Found]:
        found = [
            Found(
                hit.entry.attribute,
                hit.entry.value,
                hit.start,
                hit.end,
                round(_confidence(hit.entry.attribute, folded[hit.start]) * factor, 4),
            )
            for hit in self._lexicon.find(folded)
            if hit.entry.value and (looks or not hit.entry.looks)
        ]
        return found + find_measures(folded, round(_TITLE_CONFIDENCE["size"] * factor, 4))

    def _brand_at_start(self, title: str, folded: str) -> list[Found]:
        """The longest known brand that the title starts with; a Chinese one may follow a few signs."""
        spans = [match.span() for match in _BRAND_WORD.finditer(folded[:120])][: self._longest_brand]
        for last in range(len(spans) - 1, -1, -1):
            start, end = spans[0][0], spans[last][1]
            if (name := self._brands.get(brand_key(folded[start:end]))) is not None and start <= 2:
                return [Found("brand", name, start, end, self._brand_precision)]
        # What follows "fits" is the brand of something else.
        if self._chinese_brands is not None and not folded.isascii() and not folded.startswith("适用"):
            match = self._chinese_brands.search(folded, 0, 24)
            if match is not None:
                return [
                    Found(
                        "brand",
                        self._brands[match.group()],
                        match.start(),
                        match.end(),
                        self._brand_precision,
                    )
                ]
        return []


def _confidence(attribute: str, first: str) -> float:
    return (_TITLE_CONFIDENCE if first.isascii() else _CHINESE_CONFIDENCE)[attribute]


def _alternation(forms: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _add(values: list[Attribute], item: Found, field: Field, text: str) -> None:
    """Append a value unless it is there already or there are enough; genders are united later."""
    if any(value.value == item.value for value in values):
        return
    if len(values) >= _MOST_VALUES.get(item.name, 1) and item.name != "gender":
        return
    evidence = Evidence(field=field, start=item.start, end=item.end, text=text[item.start : item.end])
    values.append(
        Attribute(
            name=item.name, value=item.value, confidence=item.confidence, evidence=evidence, unit=item.unit
        )
    )


def _unite(genders: list[Attribute]) -> Attribute:
    """One gender of several: both sexes are unisex; `girls` beside `women` is what was said first."""
    first = genders[0]
    sexes = {_SEX.get(gender.value) for gender in genders}
    if len(sexes) == 1:
        return first
    evidence = first.evidence
    return Attribute(name="gender", value="unisex", confidence=first.confidence, evidence=evidence)
