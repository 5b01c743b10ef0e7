"""Tags: names of a controlled vocabulary, from the category, the attributes and a few telling phrases.

Names are lower case, in English, such as `dog beds`, `colour:navy blue` or `organic`. Precision comes first:
a category tags only what the model decided, and words that are not in the vocabulary never become tags.
"""

from collections.abc import Sequence
from pathlib import Path

from models.lexicon import Lexicon, load_phrases
from models.taxonomy import Taxonomy
from models.text import fold
from schemas.events import Attribute, Category, ProductEnriched, Tag, TagSource

TAGGED_ATTRIBUTES = frozenset({"colour", "gender", "material", "brand"})
PHRASE_CONFIDENCE = 0.9
_SHIPPED = Path(__file__).parent / "pretrained" / "lexicons" / "phrases.tsv"


class Tagger:
    """Assigns tags. Deterministic: best first, then by name; each name once.

    Args:
        taxonomy: Whose names become category tags.
        phrases: The telling phrases: form and tag.
    """

    def __init__(self, taxonomy: Taxonomy, phrases: Lexicon) -> None:
        self._taxonomy, self._phrases = taxonomy, phrases

    @classmethod
    def shipped(cls, taxonomy: Taxonomy) -> "Tagger":
        """With the phrases that come with the project."""
        return cls(taxonomy, load_phrases(_SHIPPED))

    def tags(
        self, category: int, confidence: float, attributes: Sequence[Attribute], folded: str
    ) -> list[Tag]:
        """The tags of one product.

        Args:
            category: The decided category's index; -1 where nothing was decided.
            confidence: That the category is right.
            attributes: What the texts state.
            folded: The title as `models.text.fold` returns it.
        """
        found: dict[str, Tag] = {}
        if category >= 0:
            for ancestor in self._taxonomy.ancestors(category)[1:][-2:] or [category]:
                name = self._taxonomy.nodes[ancestor].name.lower()
                found[name] = Tag(name=name, source=TagSource.CATEGORY, confidence=confidence)
        for attribute in attributes:
            if attribute.name in TAGGED_ATTRIBUTES:
                name = f"{attribute.name}:{attribute.value.lower()}"
                found[name] = Tag(name=name, source=TagSource.ATTRIBUTE, confidence=attribute.confidence)
        for hit in self._phrases.find(folded):
            name = hit.entry.value
            if name and name not in found:
                found[name] = Tag(name=name, source=TagSource.PHRASE, confidence=PHRASE_CONFIDENCE)
        return sorted(found.values(), key=lambda tag: (-tag.confidence, tag.name))

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """The tags of a product once somebody else has decided its category, one of this taxonomy."""
        index = self._taxonomy.node(category.id).index
        return self.tags(index, category.confidence, product.attributes, fold(product.title))
