"""Extracts attributes from listings, each with its evidence: brand, color, gender, size and others.

If several fields state an attribute, the listing's own fields take precedence over the title, and the title
over the description.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from models.attributes.attribute_match import AttributeMatch
from models.attributes.brands import BrandFinder, is_brand
from models.attributes.quantities import find_quantities
from models.attributes.span_attributes import attributes_of_spans
from models.attributes.span_tagger import SpanTagger
from models.text.cleaning import MAX_CHARACTERS, fold
from models.text.lexicon import Lexicon, shipped_lexicon, shipped_uses, words_of
from schemas.events import Attribute, Evidence, ProductCreated

Field = Literal["title", "description", "brand", "attributes"]
ORDER = (
    "brand", "colour", "gender", "age_group", "material", "size", "pack_quantity", "season", "usage",
    "product", "model", "style", "function", "audience", "specification", "fits_brand", "fits_model",
)  # fmt: skip
_NOT_FOR_FOOD = frozenset({"colour", "gender", "age_group", "material", "season", "usage"})
_SEX = {"men": "male", "boys": "male", "women": "female", "girls": "female"}
_MAX_VALUES = {
    "colour": 3, "material": 3, "usage": 2, "style": 3, "function": 5, "specification": 3,
    "product": 3, "audience": 3, "fits_brand": 3, "fits_model": 5,
}  # fmt: skip

# Confidences are precisions measured on human labels, rounded down. For English genders, colors and usages
# they come from `python -m models.training.attributes.evaluation`; the age group has the confidence of its
# gender. Chinese genders were measured on 38 titles. The others are conservative estimates.
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
    """Return the text that evidence in the field `attributes` refers to: one `name: value` line each."""
    return "\n".join(f"{name}: {value}" for name, value in attributes.items())


class AttributeExtractor:
    """Finds attributes with word lists, patterns and a span tagger. It is thread-safe and accepts any text.

    Args:
        lexicon: Words for colors, genders and materials.
        uses: Words for age groups, seasons, usages and implied genders.
        brands: Finds known brands at the start of titles.
        tagger: Finds spans in Chinese titles, or None for word lists only.
    """

    def __init__(
        self, lexicon: Lexicon, uses: Lexicon, brands: BrandFinder, tagger: SpanTagger | None = None
    ) -> None:
        self._lexicon, self._uses, self._brands, self._tagger = lexicon, uses, brands, tagger

    @classmethod
    def shipped(cls, brands: Mapping[str, str], brand_precision: float) -> "AttributeExtractor":
        """Create an extractor with the shipped word lists and span tagger.

        Args:
            brands: The brand name by its folded form, for brands at the start of titles.
            brand_precision: The measured precision of these brands.

        Raises:
            StopWorker: The span tagger is missing or damaged.
        """
        finder = BrandFinder(brands, brand_precision)
        return cls(shipped_lexicon(), shipped_uses(), finder, SpanTagger.load())

    def match_spans(self, products: Sequence[ProductCreated]) -> list[list[AttributeMatch]]:
        """Find attributes with the span tagger. Many products in one call take less time.

        Args:
            products: Listings.

        Returns:
            The matches in each title, for `extract`.
        """
        if self._tagger is None:
            return [[] for _ in products]
        folded = [fold(product.title[:MAX_CHARACTERS]) for product in products]
        return [
            [
                item
                for item in attributes_of_spans(text, spans, self._lexicon)
                if not self._brands.is_promotion(item.value)
            ]
            for text, spans in zip(folded, self._tagger.tag(folded), strict=True)
        ]

    def extract(
        self,
        product: ProductCreated,
        *,
        has_appearance: bool = True,
        is_food: bool = False,
        span_matches: Sequence[AttributeMatch] = (),
    ) -> list[Attribute]:
        """Extract the attributes of a listing.

        Args:
            product: The listing.
            has_appearance: Whether the product's appearance matters, so that `cream` is a color.
            is_food: Whether the product is food, where words for colors and materials mean flavors and
                brands.
            span_matches: The result of `match_spans` for this product.

        Returns:
            Attributes in the order of `ORDER`, then of their position.
        """
        chosen: dict[str, list[Attribute]] = {}
        for field, text, matches in self._sources(product, has_appearance, span_matches):
            already = set(chosen)
            for item in matches:
                if item.name in already or (is_food and item.name in _NOT_FOR_FOOD):
                    continue
                _add(chosen.setdefault(item.name, []), item, field, text)
        if genders := chosen.get("gender", []):
            chosen["gender"] = [_merge_genders(genders)]
            if "age_group" not in chosen and genders[0].value in _AGE_OF:
                chosen["age_group"] = [_age_of(genders[0])]
        return [attribute for name in ORDER for attribute in chosen.get(name, ())]

    def _sources(
        self, product: ProductCreated, has_appearance: bool, span_matches: Sequence[AttributeMatch]
    ) -> Iterator[tuple[Field, str, list[AttributeMatch]]]:
        """Yield each field with its text and its matches, in order of precedence."""
        if product.brand:
            yield "brand", product.brand, self._in_brand(product.brand)
        if product.attributes:
            yield "attributes", attributes_text(product.attributes), self._in_attributes(product.attributes)
        title = product.title[:MAX_CHARACTERS]
        yield (
            "title",
            title,
            self._in_title(fold(title), fold(product.brand or ""), has_appearance, span_matches),
        )
        if product.description:
            description = product.description[:MAX_CHARACTERS]
            yield (
                "description",
                description,
                self._in_text(fold(description), has_appearance, _DESCRIPTION_FACTOR),
            )

    def _in_title(
        self, folded: str, brand: str, has_appearance: bool, span_matches: Sequence[AttributeMatch]
    ) -> list[AttributeMatch]:
        """Return the matches in a title. Words of the brand (`Indigo Nation`) give no other attribute."""
        brands = self._brands.find(folded)
        taken = [(item.start, item.end) for item in brands]
        if (name := brand.strip()) and (start := folded.find(name)) >= 0:
            taken.append((start, start + len(name)))
        matches = self._in_text(folded, has_appearance, 1.0)
        if span_matches:
            selected = [item for item in span_matches if item.name != "brand" or not brands]
            matches = [*_without_overlaps(matches, selected), *selected]
        for start, end in taken:
            matches = [item for item in matches if item.end <= start or end <= item.start]
        return brands + sorted(matches, key=_place)

    def _in_brand(self, brand: str) -> list[AttributeMatch]:
        value = brand.strip()
        if not is_brand(value) or self._lexicon.exact(fold(value)) is not None:
            return []
        start = brand.index(value)
        return [AttributeMatch("brand", value, start, start + len(value), _FIELD_CONFIDENCE)]

    def _in_attributes(self, attributes: Mapping[str, str]) -> list[AttributeMatch]:
        matches: list[AttributeMatch] = []
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
                items = [
                    item for item in find_quantities(fold(value), _FIELD_CONFIDENCE) if item.name == name
                ]
            else:
                items = [item for item in self._in_text(fold(value), True, 1.0) if item.name == name]
            matches.extend(
                item._replace(start=item.start + place, end=item.end + place, confidence=_FIELD_CONFIDENCE)
                for item in items
            )
        return matches

    def _in_text(self, folded: str, has_appearance: bool, factor: float) -> list[AttributeMatch]:
        words = words_of(folded)
        hits = [
            hit
            for hit in self._lexicon.find(folded, words) + self._uses.find(folded, words)
            if hit.entry.value and (has_appearance or not hit.entry.looks)
        ]
        if any(hit.entry.implied for hit in hits):
            explicit = {hit.entry.attribute for hit in hits if not hit.entry.implied}
            hits = [hit for hit in hits if not hit.entry.implied or hit.entry.attribute not in explicit]
        matches = [
            AttributeMatch(
                hit.entry.attribute,
                hit.entry.value,
                hit.start,
                hit.end,
                _confidence(hit.entry.attribute, folded[hit.start], factor),
            )
            for hit in hits
        ]
        return matches + find_quantities(folded, round(_TITLE_CONFIDENCE["size"] * factor, 4))


def _without_overlaps(
    matches: list[AttributeMatch], span_matches: Sequence[AttributeMatch]
) -> list[AttributeMatch]:
    """Return the word matches that no span match of the same attribute overlaps; spans have better bounds."""
    places = [(item.name, item.start, item.end) for item in span_matches]
    return [
        item
        for item in matches
        if not any(name == item.name and start < item.end and item.start < end for name, start, end in places)
    ]


def _place(item: AttributeMatch) -> tuple[int, int]:
    return item.start, item.end


def _confidence(attribute: str, first: str, factor: float) -> float:
    confidence = (_TITLE_CONFIDENCE if first.isascii() else _CHINESE_CONFIDENCE)[attribute]
    return confidence if factor == 1.0 else round(confidence * factor, 4)


def _add(values: list[Attribute], item: AttributeMatch, field: Field, text: str) -> None:
    """Append a value unless it is a duplicate or the attribute has its maximum. Genders are merged later."""
    if any(value.value == item.value for value in values):
        return
    if len(values) >= _MAX_VALUES.get(item.name, 1) and item.name != "gender":
        return
    evidence = Evidence(field=field, start=item.start, end=item.end, text=text[item.start : item.end])
    values.append(
        Attribute(
            name=item.name, value=item.value, confidence=item.confidence, evidence=evidence, unit=item.unit
        )
    )


def _merge_genders(genders: list[Attribute]) -> Attribute:
    """Merge genders: both sexes give `unisex`; otherwise the first one counts (`girls` before `women`)."""
    first = genders[0]
    sexes = {_SEX.get(gender.value) for gender in genders}
    if len(sexes) == 1:
        return first
    evidence = first.evidence
    return Attribute(name="gender", value="unisex", confidence=first.confidence, evidence=evidence)


def _age_of(gender: Attribute) -> Attribute:
    """Return the age group that the word for a gender implies."""
    value, evidence = _AGE_OF[gender.value], gender.evidence
    return Attribute(name="age_group", value=value, confidence=gender.confidence, evidence=evidence)
