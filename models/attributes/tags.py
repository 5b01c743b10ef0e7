"""Tags: names of a controlled vocabulary, from the category, the attributes and a few telling phrases.

Names are lower case, in English, such as `dog beds`, `colour:navy blue` or `organic`. Precision comes first:
a category tags only what the model decided, and words that are not in the vocabulary never become tags.
"""

import re
from collections.abc import Mapping, Sequence

from models.shipped import PRETRAINED
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import fold
from models.text.lexicon import Lexicon, load_phrases, shipped_lexicon
from schemas.events import Attribute, Category, ProductEnriched, Tag, TagSource

CONTROLLED = ("colour", "gender", "material")
"""Attributes whose unified names are tags; what a seller calls a colour of its own (`starlight`) is none."""
TAGGED_BRANDS = 0.95
"""The least confidence of a brand that becomes a tag: a field's or a known one's, and no span tagger's."""
PHRASE_CONFIDENCE = 0.9
_NEGATED = re.compile(r"(?:\b(?:not|non|without|un)[\s-]*|[非不免])$")
_NEGATION_READ = 10
_SHIPPED = PRETRAINED / "lexicons" / "phrases.tsv"


class Tagger:
    """Assigns tags. Deterministic: best first, then by name; each name once.

    Args:
        taxonomy: Whose names become category tags.
        phrases: The telling phrases: form and tag.
        controlled: The unified names that become tags, by attribute.
    """

    def __init__(
        self, taxonomy: Taxonomy, phrases: Lexicon, controlled: Mapping[str, frozenset[str]]
    ) -> None:
        self._taxonomy, self._phrases, self._controlled = taxonomy, phrases, controlled

    @classmethod
    def shipped(cls, taxonomy: Taxonomy) -> "Tagger":
        """With the phrases and the unified names that come with the project."""
        lexicon = shipped_lexicon()
        controlled = {name: lexicon.values(name) for name in CONTROLLED}
        return cls(taxonomy, load_phrases(_SHIPPED), controlled)

    def tags(
        self, category: int, confidence: float, attributes: Sequence[Attribute], folded: str
    ) -> list[Tag]:
        """The tags of one product.

        Args:
            category: The decided category's index; -1 where nothing was decided.
            confidence: That the category is right.
            attributes: What the texts state.
            folded: The title as `models.text.cleaning.fold` returns it.
        """
        found: dict[str, Tag] = {}
        if category >= 0:
            for ancestor in self._taxonomy.ancestors(category)[1:][-2:] or [category]:
                name = self._taxonomy.nodes[ancestor].name.lower()
                found[name] = Tag(name=name, source=TagSource.CATEGORY, confidence=confidence)
        for attribute in attributes:
            if self._names_a_tag(attribute):
                name = f"{attribute.name}:{attribute.value.lower()}"
                found[name] = Tag(name=name, source=TagSource.ATTRIBUTE, confidence=attribute.confidence)
        for hit in self._phrases.find(folded):
            name = hit.entry.value
            if name and name not in found and not _is_negated(folded, hit.start):
                found[name] = Tag(name=name, source=TagSource.PHRASE, confidence=PHRASE_CONFIDENCE)
        return sorted(found.values(), key=lambda tag: (-tag.confidence, tag.name))

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """The tags of a product once somebody else has decided its category, one of this taxonomy."""
        index = self._taxonomy.node(category.id).index
        return self.tags(index, category.confidence, product.attributes, fold(product.title))

    def _names_a_tag(self, attribute: Attribute) -> bool:
        if attribute.name == "brand":
            return attribute.confidence >= TAGGED_BRANDS
        return attribute.value in self._controlled.get(attribute.name, ())


def _is_negated(folded: str, start: int) -> bool:
    """Whether what stands before says the contrary: `not waterproof`, `不防水`."""
    return _NEGATED.search(folded[max(0, start - _NEGATION_READ) : start]) is not None
