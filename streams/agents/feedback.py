"""Category feedback: the category of a person overrides the model as long as the product is listed."""

import msgspec

from models.enrichment.mapped_categories import mapped_categories
from models.enrichment.model_info import ModelInfo
from models.taxonomy.tree import Taxonomy
from schemas.errors import InvalidEvent
from schemas.events import (
    Category,
    CategoryFeedback,
    Decision,
    DecisionOutcome,
    ProductEnriched,
    Source,
    Verdict,
)


def corrected(
    known: ProductEnriched | None,
    feedback: CategoryFeedback,
    model_info: ModelInfo,
    source: Source,
) -> ProductEnriched:
    """Apply feedback to a product.

    Args:
        known: The published event of the product; None if nothing was published.
        feedback: A person's feedback on the category.
        model_info: Taxonomy and tags.
        source: The position of the feedback's record.

    Returns:
        The event to publish.

    Raises:
        InvalidEvent: The category does not exist, or there is no category to accept.
    """
    category = _category(known, feedback, model_info.taxonomy)
    who = feedback.by or "a person"
    verdict = "accepted" if feedback.verdict is Verdict.ACCEPT else "chose"
    decision = Decision(outcome=DecisionOutcome.PERSON, why=f"{who} {verdict} {category.path}")
    if known is None:
        known = ProductEnriched(
            product_id=feedback.product_id,
            decision=decision,
            model_version=model_info.model_version,
            taxonomy_version=model_info.taxonomy_version,
            shop_id=feedback.shop_id,
        )
    # What the listing says stays: its texts and attributes, its price and its shop.
    product = msgspec.structs.replace(
        known,
        decision=decision,
        category=category,
        taxonomy_version=model_info.taxonomy_version,
        source=source,
    )
    return msgspec.structs.replace(product, tags=model_info.retagged(product, category))


def _category(known: ProductEnriched | None, feedback: CategoryFeedback, taxonomy: Taxonomy) -> Category:
    alternatives = known.category.alternatives if known and known.category else []
    category_id = feedback.category_id
    if category_id is None:
        if known is None or known.category is None:
            raise InvalidEvent(
                "nothing-to-accept",
                f"no category of product {feedback.product_id} was published that could be accepted;"
                " say `correct` with a category_id",
                "$.verdict",
            )
        category_id = known.category.id
    if category_id not in taxonomy:
        raise InvalidEvent(
            "unknown-category",
            f"category {category_id} is not in the taxonomy {taxonomy.version}; use one of its ids",
            "$.category_id",
        )
    node = taxonomy.node(category_id)
    return Category(
        id=category_id,
        path=node.path,
        confidence=1.0,
        alternatives=alternatives,
        mapped=mapped_categories(node, taxonomy.version),
    )
