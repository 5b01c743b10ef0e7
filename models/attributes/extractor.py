"""Extracts attributes from listings, each with its evidence: brand, color, gender, size and others.

If several fields state an attribute, the listing's own fields take precedence over the title, and the title
over the description.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from models.attributes.attribute_match import AttributeMatch
from models.attributes.brands import BrandFinder, is_brand
from models.attributes.chinese_titles import agreed_brands, sure_matches
from models.attributes.confidences import FIELD_CONFIDENCE, description_confidence, title_confidence
from models.attributes.field_names import quantity_attributes, quantity_name, word_attribute
from models.attributes.persons import implied_ages, merge_genders
from models.attributes.pieces import bare_clothing_size
from models.attributes.quantities import find_quantities
from models.attributes.span_attributes import attributes_of_spans
from models.attributes.span_tagger import SpanTagger
from models.attributes.statements import find_stated_quantities, find_statements
from models.attributes.word_context import describes_product
from models.text.cleaning import MAX_CHARACTERS, fold, is_chinese
from models.text.lexicon import Hit, Lexicon, shipped_lexicon, shipped_uses, words_of
from schemas.events import Attribute, Evidence, ProductCreated

Field = Literal["title", "description", "brand", "attributes"]
ORDER = (
    "brand", "colour", "gender", "age_group", "material", "size", "dimensions", "volume", "weight", "length",
    "screen_size", "power", "battery", "memory", "storage", "pack_quantity", "season", "usage",
    "product", "model", "style", "function", "audience", "specification", "fits_brand", "fits_model",
)  # fmt: skip
_NOT_FOR_FOOD = frozenset({"colour", "gender", "age_group", "material", "season", "usage"})
_MAX_VALUES = {
    "colour": 3, "material": 3, "usage": 2, "style": 3, "function": 5, "specification": 3,
    "product": 3, "audience": 3, "fits_brand": 3, "fits_model": 5,
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
            chosen["gender"] = [merge_genders(genders)]
            if "age_group" not in chosen:
                chosen["age_group"] = implied_ages(genders)
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
        brand = fold(product.brand or "")
        yield "title", title, self._in_title(fold(title), brand, has_appearance, span_matches)
        if product.description:
            description = product.description[:MAX_CHARACTERS]
            find = self._in_description if title.strip() else self._in_text
            yield "description", description, find(fold(description), has_appearance)

    def _in_title(
        self, folded: str, brand: str, has_appearance: bool, span_matches: Sequence[AttributeMatch]
    ) -> list[AttributeMatch]:
        """Return the matches in a title. Words of the brand (`Indigo Nation`) give no other attribute."""
        brands = self._brands.find(folded)
        taken = [(item.start, item.end) for item in brands]
        if (name := brand.strip()) and (start := folded.find(name)) >= 0:
            taken.append((start, start + len(name)))
        matches = self._in_text(folded, has_appearance)
        if span_matches:
            brands = agreed_brands(brands, span_matches)
            selected = [item for item in span_matches if item.name != "brand" or not brands]
            matches = [*_without_overlaps(matches, selected), *selected]
        for start, end in taken:
            matches = [item for item in matches if item.end <= start or end <= item.start]
        return sure_matches(folded, brands + sorted(matches, key=_place), span_matches)

    def _in_brand(self, brand: str) -> list[AttributeMatch]:
        value = brand.strip()
        if not is_brand(value) or self._lexicon.exact(fold(value)) is not None:
            return []
        start = brand.index(value)
        name = self._brands.named(value)
        return [AttributeMatch("brand", name, start, start + len(value), FIELD_CONFIDENCE)]

    def _in_attributes(self, attributes: Mapping[str, str]) -> list[AttributeMatch]:
        matches: list[AttributeMatch] = []
        start = 0
        for key, value in attributes.items():
            place = start + len(key) + len(": ")
            start = place + len(value) + 1
            name = word_attribute(key)
            if name == "brand":
                items = self._in_brand(value)
            elif name is not None:
                items = [item for item in self._in_words(fold(value), True) if item.name == name]
            else:
                items = _quantities_of_field(key, fold(value))
            matches.extend(
                item._replace(start=item.start + place, end=item.end + place, confidence=FIELD_CONFIDENCE)
                for item in items
            )
        return matches

    def _in_text(self, folded: str, has_appearance: bool) -> list[AttributeMatch]:
        """Return what words and quantities anywhere in a text say."""
        chinese = is_chinese(folded)
        quantities = [
            item._replace(confidence=title_confidence(item.name, is_chinese=chinese))
            for item in find_quantities(folded, 1.0)
        ]
        return self._in_words(folded, has_appearance) + quantities

    def _in_words(self, folded: str, has_appearance: bool) -> list[AttributeMatch]:
        hits = [hit for hit in self._hits(folded, has_appearance) if _describes(hit, folded)]
        if any(hit.entry.implied for hit in hits):
            explicit = {hit.entry.attribute for hit in hits if not hit.entry.implied}
            hits = [hit for hit in hits if not hit.entry.implied or hit.entry.attribute not in explicit]
        return [
            _match(hit, title_confidence(hit.entry.attribute, is_chinese=not folded[hit.start].isascii()))
            for hit in hits
        ]

    def _in_description(self, folded: str, has_appearance: bool) -> list[AttributeMatch]:
        """Return what of `DESCRIBED` a description states of the product, as in `made of linen`."""
        statements = list(find_statements(folded))
        matches = find_stated_quantities(folded)
        if statements:
            matches += [
                _match(hit, description_confidence(hit.entry.attribute))
                for hit in self._hits(folded, has_appearance)
                if not hit.entry.implied
                and any(item.states(hit.entry.attribute, hit.start, hit.end) for item in statements)
                and _describes(hit, folded)
            ]
        return sorted(matches, key=_place)

    def _hits(self, folded: str, has_appearance: bool) -> list[Hit]:
        words = words_of(folded)
        hits = self._lexicon.find(folded, words) + self._uses.find(folded, words)
        return [hit for hit in hits if hit.entry.value and (has_appearance or not hit.entry.looks)]


def _describes(hit: Hit, folded: str) -> bool:
    return describes_product(hit.entry.attribute, folded, hit.start, hit.end)


def _match(hit: Hit, confidence: float) -> AttributeMatch:
    return AttributeMatch(hit.entry.attribute, hit.entry.value, hit.start, hit.end, confidence)


def _quantities_of_field(name: str, folded: str) -> list[AttributeMatch]:
    """Return the quantities of a field; a field `Size` may be a clothing size without more words."""
    stated = quantity_attributes(name)
    if not stated:
        return []
    if "size" in stated and (size := bare_clothing_size(folded)):
        return [AttributeMatch("size", *size, FIELD_CONFIDENCE)]
    return [
        item._replace(name=quantity_name(name, item.name))
        for item in find_quantities(folded, FIELD_CONFIDENCE)
        if item.name in stated
    ]


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
