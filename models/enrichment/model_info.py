"""What a person's word on a category needs of a model: names, tags and versions, without its numbers."""

from typing import Protocol

from models.attributes.tags import Tagger
from models.taxonomy.tree import Taxonomy
from schemas.events import Category, ProductEnriched, Tag


class ModelInfo(Protocol):
    """Names categories and tags products: `Enricher` does; `LoadedModelInfo` does without a model."""

    model_version: str
    taxonomy_version: str
    taxonomy: Taxonomy

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """The tags of a product once somebody has decided its category, one of this taxonomy."""
        ...


class LoadedModelInfo:
    """Stands for a model that was loaded elsewhere.

    Args:
        model_version: that model's.
        taxonomy: its category tree.
    """

    def __init__(self, model_version: str, taxonomy: Taxonomy) -> None:
        self.model_version = model_version
        self.taxonomy_version = taxonomy.version
        self.taxonomy = taxonomy
        self._tagger = Tagger.shipped(taxonomy)

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """As `ModelInfo.retagged`."""
        return self._tagger.retagged(product, category)
