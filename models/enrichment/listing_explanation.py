"""Explains a listing's decision: what each field beside the title changed, and which were not read."""

from typing import NamedTuple, Protocol

from msgspec.structs import replace

from models.enrichment.category_evidence import attribute_kind
from models.enrichment.event_builder import Enrichment
from models.text.language_detection import is_supported
from schemas.events import Category, ProductCreated

_FIELDS = ("brand", "description", "shop_category", "category")


class ListingEnricher(Protocol):
    """What decides listings."""

    def enrich(self, products: list[ProductCreated]) -> list[Enrichment]:
        """Enrich each product, in order."""
        ...


class FieldEffect(NamedTuple):
    """What one field does beside the title.

    Attributes:
        field: The field, such as `brand` or `attributes.material`.
        enrichment: The enrichment of the title with this field alone.
        share: The field's addition to the confidence in the category of the whole listing, in [-1, 1]; None
            if that category is unknown without or with the field.
    """

    field: str
    enrichment: Enrichment
    share: float | None


class ListingExplanation(NamedTuple):
    """Why a listing gets its category.

    Attributes:
        language: The given or detected language; None if it is unknown.
        is_given: Whether the listing gives its language.
        is_read: Whether the models read the language, or the names of categories classified the title.
        title: The enrichment of the title alone.
        effects: What each other field does, one at a time.
        whole: The enrichment of the whole listing.
        not_read: Fields that say nothing about the category.
    """

    language: str | None
    is_given: bool
    is_read: bool
    title: Enrichment
    effects: list[FieldEffect]
    whole: Enrichment
    not_read: list[str]


def explain_listing(enricher: ListingEnricher, product: ProductCreated) -> ListingExplanation:
    """Explain a listing by deciding it with its title alone, with each other field, and whole.

    Args:
        enricher: Decides listings.
        product: The listing.
    """
    bare = ProductCreated(product_id=product.product_id, title=product.title, language=product.language)
    variants = {name: replace(bare, **{name: value}) for name in _FIELDS if (value := getattr(product, name))}
    not_read = []
    for name, value in product.attributes.items():
        if attribute_kind(name) is None:
            not_read.append(f"attributes.{name}")
        else:
            variants[f"attributes.{name}"] = replace(bare, attributes={name: value})
    title, whole, *others = enricher.enrich([bare, product, *variants.values()])
    effects = [
        FieldEffect(name, other, _share(title, other, whole.category))
        for name, other in zip(variants, others, strict=True)
    ]
    return ListingExplanation(
        language=whole.language,
        is_given=product.language is not None,
        is_read=is_supported(whole.language) or title.category is not None,
        title=title,
        effects=effects,
        whole=whole,
        not_read=not_read,
    )


def _share(title: Enrichment, other: Enrichment, category: Category | None) -> float | None:
    """The difference of two confidences in one category, or in one above it."""
    if category is None:
        return None
    before, after = _confidence(title, category), _confidence(other, category)
    return None if before is None or after is None else round(after - before, 4)


def _confidence(enrichment: Enrichment, category: Category) -> float | None:
    """The confidence in a category: that of the decision if it is the same or above, else of the guesses."""
    found = enrichment.category
    if found is None:
        return None
    if category.path == found.path or category.path.startswith(f"{found.path} > "):
        return found.confidence
    masses = [
        each.confidence
        for each in found.alternatives
        if each.path == category.path or each.path.startswith(f"{category.path} > ")
    ]
    return min(sum(masses), 1.0)
