"""A model's versions, taxonomy and tagger, without its weights: what feedback on categories needs."""

from typing import Protocol

from models.attributes.tags import Tagger
from models.taxonomy.tree import Taxonomy
from schemas.events import Category, ProductEnriched, Tag


class ModelInfo(Protocol):
    """Versions, taxonomy and tagger of a model. `Enricher` and `LoadedModelInfo` implement it.

    Attributes:
        model_version: The model's version.
        taxonomy_version: The category tree's version.
        taxonomy: The model's category tree.
    """

    model_version: str
    taxonomy_version: str
    taxonomy: Taxonomy

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """The tags of a product after a person decided its category.

        Args:
            product: The product's last event.
            category: The decided category, of this taxonomy.
        """
        ...


class LoadedModelInfo:
    """Information about a model that another process has loaded.

    Args:
        model_version: The model's version.
        taxonomy: The model's category tree.
    """

    def __init__(self, model_version: str, taxonomy: Taxonomy) -> None:
        self.model_version = model_version
        self.taxonomy_version = taxonomy.version
        self.taxonomy = taxonomy
        self._tagger = Tagger.shipped(taxonomy)

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """As `ModelInfo.retagged`."""
        return self._tagger.retagged(product, category)
