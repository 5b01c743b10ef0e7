"""Attributes that the text states, each with the place where it does: brand, colour, gender, size and others.

What a shop says in its own fields wins over the title, and the title over the description.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from models.attributes.brands import BrandFinder, is_brand
from models.attributes.quantities import Found, find_measures
from models.attributes.span_attributes import marked_attributes
from models.attributes.span_tagger import SpanTagger
from models.text.cleaning import MAX_CHARACTERS, fold
from models.text.lexicon import Lexicon, shipped_lexicon, shipped_uses, words_of
from schemas.events import Attribute, Evidence, ProductCreated

Field = Literal["title", "description", "brand", "attributes"]
ORDER = (
    "brand", "colour", "gender", "age_group", "material", "size", "pack_quantity", "season", "usage",
    "product", "model", "style", "function", "audience", "specification", "fits_brand", "fits_model",
)  # fmt: skip
_NOT_OF_FOOD = frozenset({"colour", "gender", "age_group", "material", "season", "usage"})
_SEX = {"men": "male", "boys": "male", "women": "female", "girls": "female"}
_MOST_VALUES = {
    "colour": 3, "material": 3, "usage": 2, "style": 3, "function": 5, "specification": 3,
    "product": 3, "audience": 3, "fits_brand": 3, "fits_model": 5,
}  # fmt: skip

# The share right where people's labels exist, rounded down: `python -m models.training.attributes.evaluation`
# measures English genders, colours and usages; the age group is that of a gender. Chinese genders: 38 titles.
# Materials, seasons, sizes and the other Chinese ones are cautious guesses.
_TITLE_CONFIDENCE = {
    "colour": 0.92, "gender": 0.98, "age_group": 0.9, "material": 0.85, "size": 0.9, "pack_quantity": 0.9,
    "season": 0.8, "usage": 0.9,
}  # fmt: skip
_CHINESE_CONFIDENCE = {
    "colour": 0.85, "gender": 0.87, "age_group": 0.8, "material": 0.8, "season": 0.8, "usage": 0.8,
}  # fmt: skip
_AGE_OF = {"men": "adult", "women": "adult", "boys": "kids", "girls": "kids"}
_FIELD_CONFIDENCE = 0.95
_DESCRIPTION_FACTOR = 0.8

_FIELD_NAMES = {
    "brand": "brand", "品牌": "brand",
    "color": "colour", "colour": "colour", "base_colour": "colour", "颜色": "colour", "颜色分类": "colour",
    "gender": "gender", "适用性别": "gender", "性别": "gender",
    "material": "material", "fabric": "material", "材质": "material", "面料": "material",
    "size": "size", "尺码": "size", "净含量": "size", "化妆品净含量": "size",
    "season": "season", "适用季节": "season", "age_group": "age_group", "适用年龄": "age_group",
    "usage": "usage", "适用场景": "usage",
}  # fmt: skip


def attributes_text(attributes: Mapping[str, str]) -> str:
    """What evidence in the field `attributes` points into: `name: value` lines, in the event's order."""
    return "\n".join(f"{name}: {value}" for name, value in attributes.items())


def field_text(product: ProductCreated, field: str) -> str:
    """The text that evidence in `field` points into."""
    if field == "attributes":
        return attributes_text(product.attributes)
    return {"title": product.title, "description": product.description, "brand": product.brand or ""}[field]


class AttributeExtractor:
    """Finds attributes by word lists and patterns. Thread-safe; never raises for odd text.

    Args:
        lexicon: Words for colours, genders and materials.
        uses: Words for age groups, seasons, usages and implied genders.
        brands: Where titles start with a known one.
        tagger: Finds spans in Chinese titles; None leaves them to the words.
    """

    def __init__(
        self, lexicon: Lexicon, uses: Lexicon, brands: BrandFinder, tagger: SpanTagger | None = None
    ) -> None:
        self._lexicon, self._uses, self._brands, self._tagger = lexicon, uses, brands, tagger

    @classmethod
    def shipped(cls, brands: Mapping[str, str], brand_precision: float) -> "AttributeExtractor":
        """With the words that come with the project.

        Args:
            brands: Names by their folded form, as titles start with them.
            brand_precision: The measured precision of those.

        Raises:
            StopWorker: The span tagger is missing or damaged; says why.
        """
        finder = BrandFinder(brands, brand_precision)
        return cls(shipped_lexicon(), shipped_uses(), finder, SpanTagger.load())

    def mark(self, products: Sequence[ProductCreated]) -> list[list[Found]]:
        """What the span tagger finds in each title, for `extract`; many at once take less time."""
        if self._tagger is None:
            return [[] for _ in products]
        folded = [fold(product.title[:MAX_CHARACTERS]) for product in products]
        return [
            [
                item
                for item in marked_attributes(text, spans, self._lexicon)
                if not self._brands.advertises(item.value)
            ]
            for text, spans in zip(folded, self._tagger.tag(folded), strict=True)
        ]

    def extract(
        self,
        product: ProductCreated,
        *,
        looks: bool = True,
        edible: bool = False,
        marked: Sequence[Found] = (),
    ) -> list[Attribute]:
        """The product's attributes, in the order of `ORDER`, then of their place.

        Args:
            product: The listing.
            looks: Whether it is a thing whose looks matter, so that `cream` is a colour.
            edible: Whether it is food, whose colours and materials are flavours and brands.
            marked: What `mark` found in the title.
        """
        chosen: dict[str, list[Attribute]] = {}
        for field, text, found in self._sources(product, looks, marked):
            already = set(chosen)
            for item in found:
                if item.name in already or (edible and item.name in _NOT_OF_FOOD):
                    continue
                _add(chosen.setdefault(item.name, []), item, field, text)
        if genders := chosen.get("gender", []):
            chosen["gender"] = [_unite(genders)]
            if "age_group" not in chosen and genders[0].value in _AGE_OF:
                chosen["age_group"] = [_age_of(genders[0])]
        return [attribute for name in ORDER for attribute in chosen.get(name, ())]

    def _sources(
        self, product: ProductCreated, looks: bool, marked: Sequence[Found]
    ) -> Iterator[tuple[Field, str, list[Found]]]:
        """What each field says, the most trustworthy field first."""
        if product.brand:
            yield "brand", product.brand, self._in_brand(product.brand)
        if product.attributes:
            yield "attributes", attributes_text(product.attributes), self._in_attributes(product.attributes)
        title = product.title[:MAX_CHARACTERS]
        yield "title", title, self._in_title(fold(title), fold(product.brand or ""), looks, marked)
        if product.description:
            description = product.description[:MAX_CHARACTERS]
            yield "description", description, self._in_text(fold(description), looks, _DESCRIPTION_FACTOR)

    def _in_title(self, folded: str, brand: str, looks: bool, marked: Sequence[Found]) -> list[Found]:
        """What a title says; the words of its brand (`Indigo Nation`) say no more than that."""
        brands = self._brands.find(folded)
        taken = [(item.start, item.end) for item in brands]
        if (name := brand.strip()) and (start := folded.find(name)) >= 0:
            taken.append((start, start + len(name)))
        found = self._in_text(folded, looks, 1.0)
        if marked:
            also = [item for item in marked if item.name != "brand" or not brands]
            found = [*_unless_marked(found, also), *also]
        for start, end in taken:
            found = [item for item in found if item.end <= start or end <= item.start]
        return brands + sorted(found, key=_place)

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
        words = words_of(folded)
        hits = [
            hit
            for hit in self._lexicon.find(folded, words) + self._uses.find(folded, words)
            if hit.entry.value and (looks or not hit.entry.looks)
        ]
        if any(hit.entry.implied for hit in hits):
            explicit = {hit.entry.attribute for hit in hits if not hit.entry.implied}
            hits = [hit for hit in hits if not hit.entry.implied or hit.entry.attribute not in explicit]
        found = [
            Found(
                hit.entry.attribute,
                hit.entry.value,
                hit.start,
                hit.end,
                _confidence(hit.entry.attribute, folded[hit.start], factor),
            )
            for hit in hits
        ]
        return found + find_measures(folded, round(_TITLE_CONFIDENCE["size"] * factor, 4))


def _unless_marked(found: list[Found], marked: Sequence[Found]) -> list[Found]:
    """What the words say but for what the marks say of the same place, whose borders are better."""
    places = [(item.name, item.start, item.end) for item in marked]
    return [
        item
        for item in found
        if not any(name == item.name and start < item.end and item.start < end for name, start, end in places)
    ]


def _place(item: Found) -> tuple[int, int]:
    return item.start, item.end


def _confidence(attribute: str, first: str, factor: float) -> float:
    confidence = (_TITLE_CONFIDENCE if first.isascii() else _CHINESE_CONFIDENCE)[attribute]
    return confidence if factor == 1.0 else round(confidence * factor, 4)


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


def _age_of(gender: Attribute) -> Attribute:
    """The age group that a gender's word says too."""
    value, evidence = _AGE_OF[gender.value], gender.evidence
    return Attribute(name="age_group", value=value, confidence=gender.confidence, evidence=evidence)
