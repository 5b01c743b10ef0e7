"""Assigns tags: words of a controlled vocabulary, from the category, the attributes and known phrases.

Tags are lower case and English, such as `dog beds`, `colour:navy blue` or `organic`. A category gives tags
only if it was decided. Words that are not in the vocabulary never become tags.
"""

import re
from collections.abc import Mapping, Sequence

from models.shipped import PRETRAINED
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import fold
from models.text.lexicon import Lexicon, load_phrases, shipped_lexicon
from schemas.events import Attribute, Category, ProductEnriched, Tag, TagSource

CONTROLLED = ("colour", "gender", "material")
"""Attributes whose normalized values become tags. A seller's own color name (`starlight`) does not."""
TAGGED_BRANDS = 0.95
"""The minimum confidence of a brand tag. Brand fields and known brands reach it; brand spans do not."""
PHRASE_CONFIDENCE = 0.9
_NEGATED = re.compile(r"(?:\b(?:not|non|without|un)[\s-]*|[非不免])$")
_NEGATION_CHARACTERS = 10
_SHIPPED = PRETRAINED / "lexicons" / "phrases.tsv"


class Tagger:
    """Assigns tags to products, deterministically.

    Args:
        taxonomy: The taxonomy, whose category names become tags.
        phrases: Phrases and their tags.
        controlled: The normalized values that become tags, by attribute.
    """

    def __init__(
        self, taxonomy: Taxonomy, phrases: Lexicon, controlled: Mapping[str, frozenset[str]]
    ) -> None:
        self._taxonomy, self._phrases, self._controlled = taxonomy, phrases, controlled

    @classmethod
    def shipped(cls, taxonomy: Taxonomy) -> "Tagger":
        """Create a tagger with the shipped phrases and values."""
        lexicon = shipped_lexicon()
        controlled = {name: lexicon.values(name) for name in CONTROLLED}
        return cls(taxonomy, load_phrases(_SHIPPED), controlled)

    def tags(
        self, category: int, confidence: float, attributes: Sequence[Attribute], folded: str
    ) -> list[Tag]:
        """Assign the tags of one product.

        Args:
            category: The index of the decided category; -1 if none was decided.
            confidence: The confidence of the category, in [0, 1].
            attributes: The attributes of the product.
            folded: The title as `models.text.cleaning.fold` returns it.

        Returns:
            Distinct tags by descending confidence, then by name.
        """
        tags: dict[str, Tag] = {}
        if category >= 0:
            for ancestor in self._taxonomy.ancestors(category)[1:][-2:] or [category]:
                name = self._taxonomy.nodes[ancestor].name.lower()
                tags[name] = Tag(name=name, source=TagSource.CATEGORY, confidence=confidence)
        for attribute in attributes:
            if self._is_tag(attribute):
                name = f"{attribute.name}:{attribute.value.lower()}"
                tags[name] = Tag(name=name, source=TagSource.ATTRIBUTE, confidence=attribute.confidence)
        for hit in self._phrases.find(folded):
            name = hit.entry.value
            if name and name not in tags and not _is_negated(folded, hit.start):
                tags[name] = Tag(name=name, source=TagSource.PHRASE, confidence=PHRASE_CONFIDENCE)
        return sorted(tags.values(), key=lambda tag: (-tag.confidence, tag.name))

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """Assign the tags of a product whose category a person decided.

        Args:
            product: The product.
            category: A category of this tagger's taxonomy.
        """
        index = self._taxonomy.node(category.id).index
        return self.tags(index, category.confidence, product.attributes, fold(product.title))

    def _is_tag(self, attribute: Attribute) -> bool:
        if attribute.name == "brand":
            return attribute.confidence >= TAGGED_BRANDS
        return attribute.value in self._controlled.get(attribute.name, ())


def _is_negated(folded: str, start: int) -> bool:
    """Whether the text before `start` negates the phrase: `not waterproof`, `不防水`."""
    return _NEGATED.search(folded[max(0, start - _NEGATION_CHARACTERS) : start]) is not None
