"""Builds the parts of events, and whole events, from classifications and enrichments."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.arrays import Floats
from models.enrichment.decision_cache import TextDecision
from models.enrichment.mapped_categories import mapped_categories
from models.enrichment.shop_mix import ShopMixes
from models.student.classifier import Classification, Classifier
from models.taxonomy.tree import Taxonomy
from schemas.events import (
    Alternative,
    Attribute,
    Category,
    Decision,
    DecisionOutcome,
    Embedding,
    EnrichmentReview,
    Evidence,
    IgnoredField,
    ProductCreated,
    ProductEnriched,
    Source,
    Tag,
)

TITLE_CHARACTERS = 1_000
"""The most characters of a title in events; a longer title could exceed the broker's limit for a record."""

CONTRADICTION = 0.995
"""From this confidence in another department on, the model contradicts a given category.
`python -m benchmarks.listing_evidence` prints how often it does so wrongly."""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """The enrichment of one product.

    Attributes:
        category: The deepest category that reached its threshold; the likeliest root if the model abstained;
            None for a listing without known words.
        tags: Tags, best first.
        attributes: Attributes with their evidence.
        decision: Who decided, with the reason.
        embedding: The vector of the title; None without known words.
        review_reason: Why a person should look at the product; None if the model or the shop decided.
        language: The given or detected language; None if it is unknown.
        shop_category: The shop's own category.
        departments: The probability of each department before the shop's mix weighs it, shape [departments];
            None if the classifier does not tell it.
    """

    category: Category | None
    tags: list[Tag]
    attributes: list[Attribute]
    decision: Decision
    embedding: Embedding | None
    review_reason: str | None
    language: str | None = None
    shop_category: str | None = None
    departments: Floats | None = field(default=None, compare=False)


class EventBuilder:
    """Builds events of one model.

    Args:
        classifier: The classifier whose results are published.
        taxonomy: The classifier's category tree.
    """

    def __init__(self, classifier: Classifier, taxonomy: Taxonomy) -> None:
        self._model_version, self._dimensions = classifier.model_version, classifier.dimensions
        self._thresholds = classifier.thresholds
        self._taxonomy = taxonomy

    def text_decision(self, text: str, result: Classification, conflict: str | None = None) -> TextDecision:
        """The decision on a classified text.

        Args:
            text: The cleaned text.
            result: Its classification.
            conflict: Why evidence made a sure text unsure; None if it did not.
        """
        if result.category < 0:
            unknown = "Not one word of the listing is known."
            why = conflict or (unknown if text else "The listing has no text to judge by.")
            return TextDecision(None, Decision(outcome=DecisionOutcome.ABSTAINED, why=why), None, -1, "")
        nodes = self._taxonomy.nodes
        node = nodes[result.category]
        category = Category(
            id=node.id,
            path=node.path,
            confidence=result.confidence,
            alternatives=[
                Alternative(id=nodes[index].id, path=nodes[index].path, confidence=probability)
                for index, probability in result.candidates
            ],
            mapped=mapped_categories(node, self._taxonomy.version),
        )
        return TextDecision(
            category,
            _decision(result, bool(node.children), conflict),
            self._embedding(result),
            result.category if result.sure else -1,
            node.names[0],
            result if conflict is None and result.departments is not None else None,
        )

    def weighed(self, decision: TextDecision, shop: str | None, mixes: ShopMixes | None) -> TextDecision:
        """The decision on a text, weighed by the mix of its shop, which then counts the listing.

        Args:
            decision: The decision on the text alone.
            shop: The listing's shop.
            mixes: The mixes of shops; None for no mix.

        Returns:
            The new decision; the given one if there is nothing to weigh.
        """
        if mixes is None or decision.departments is None:
            return decision
        weights, result = mixes.weights(shop), decision.weighable
        mixes.count(shop, decision.departments)
        if weights is None or result is None or result.departments is None or result.departments.certain:
            return decision
        found = result.departments.decide(weights, self._thresholds)
        positions = np.searchsorted(
            self._taxonomy.roots, [index for index, _ in result.candidates], side="right"
        )
        factors = found.factors[positions - 1].tolist()
        candidates = sorted(
            (
                (index, round(min(1.0, probability * factor), 4))
                for (index, probability), factor in zip(result.candidates, factors, strict=True)
            ),
            key=lambda candidate: -candidate[1],
        )
        weighed = replace(
            result,
            category=found.category,
            confidence=round(found.confidence, 4),
            sure=found.sure,
            candidates=tuple(candidates),
        )
        return self.text_decision("", weighed)

    def shop_decision(self, given: int, written: str, decision: TextDecision) -> TextDecision:
        """The decision on a listing whose shop gives a category of the tree.

        Args:
            given: The category's index.
            written: The category as the listing has it, an id or a path.
            decision: The decision on the listing's text, which checks it.
        """
        node = self._taxonomy.nodes[given]
        guess = decision.category
        mapped = mapped_categories(node, self._taxonomy.version)
        alternatives = list(guess.alternatives) if guess is not None else []
        contradicts = (
            guess is not None
            and decision.decision.outcome is DecisionOutcome.MODEL
            and guess.confidence >= CONTRADICTION
            and decision.department != node.names[0]
        )
        if contradicts and guess is not None:
            why = (
                "The listing gives a category, but its words point to another department "
                f"with a probability of {guess.confidence:.3f}."
            )
            masses = [each.confidence for each in alternatives if each.id == node.id]
            own = Alternative(id=node.id, path=node.path, confidence=masses[0] if masses else 0.0)
            others = [each for each in alternatives if each.id != node.id]
            category = Category(
                id=node.id,
                path=node.path,
                confidence=own.confidence,
                alternatives=[own, *others],
                mapped=mapped,
            )
            outcome, tagged = DecisionOutcome.ABSTAINED, -1
        else:
            why = "The listing gives this category."
            category = Category(
                id=node.id, path=node.path, confidence=1.0, alternatives=alternatives, mapped=mapped
            )
            outcome, tagged = DecisionOutcome.SHOP, given
        evidence = Evidence(field="category", start=0, end=len(written), text=written)
        decided = Decision(outcome=outcome, why=why, evidence=evidence)
        return TextDecision(category, decided, decision.embedding, tagged, node.names[0])

    def unread_decision(self, language: str) -> TextDecision:
        """The decision on a listing in a language that the model does not read."""
        decision = Decision(outcome=DecisionOutcome.ABSTAINED, why=f"language not supported: {language}")
        return TextDecision(None, decision, None, -1, "")

    def enriched(
        self,
        product: ProductCreated,
        enrichment: Enrichment,
        source: Source | None,
        ignored: Sequence[IgnoredField] = (),
    ) -> ProductEnriched:
        """The product-enriched event of an enrichment.

        Args:
            product: The listing.
            enrichment: The listing's enrichment.
            source: The listing's record; None if it did not come from Kafka.
            ignored: The fields of the listing that were left out.
        """
        return ProductEnriched(
            product_id=product.product_id,
            title=product.title[:TITLE_CHARACTERS],
            decision=enrichment.decision,
            category=enrichment.category,
            tags=enrichment.tags,
            attributes=enrichment.attributes,
            embedding=enrichment.embedding,
            model_version=self._model_version,
            taxonomy_version=self._taxonomy.version,
            source=source,
            listing=source,
            listed_at=product.occurred_at,
            ignored_fields=list(ignored),
            language=enrichment.language,
            shop_id=product.shop_id,
            group_id=product.group_id,
            sku=product.sku,
            gtin=product.gtin,
            shop_category=enrichment.shop_category,
            url=product.url,
            image_url=product.image_url,
            images=product.images,
            price=product.price,
            sale_price=product.sale_price,
            availability=product.availability,
            seller=product.seller,
        )

    def review(
        self, product: ProductCreated, enrichment: Enrichment, source: Source | None
    ) -> EnrichmentReview | None:
        """The enrichment-review event of an enrichment; None if the model decided.

        Args:
            product: The listing.
            enrichment: The listing's enrichment.
            source: The listing's record; None if it did not come from Kafka.
        """
        if enrichment.review_reason is None:
            return None
        return EnrichmentReview(
            product_id=product.product_id,
            title=product.title[:TITLE_CHARACTERS],
            why=enrichment.review_reason,
            candidates=enrichment.category.alternatives if enrichment.category is not None else [],
            model_version=self._model_version,
            taxonomy_version=self._taxonomy.version,
            source=source,
            language=enrichment.language,
            shop_id=product.shop_id,
            url=product.url,
            image_url=product.image_url,
        )

    def _embedding(self, result: Classification) -> Embedding | None:
        # The vector is zero if only the description has known words.
        if not result.embedding.any():
            return None
        return Embedding(
            dimensions=self._dimensions,
            int8=b64encode(result.embedding.tobytes()).decode("ascii"),
            model_version=self._model_version,
        )


def _decision(result: Classification, has_children: bool, conflict: str | None) -> Decision:
    """The decision with its reason, which leaves out the path: its names could be mistaken for an outcome."""
    if conflict is not None:
        return Decision(outcome=DecisionOutcome.ABSTAINED, why=conflict)
    if not result.sure:
        why = f"Even the likeliest department has a probability of only {result.confidence:.2f}."
        return Decision(outcome=DecisionOutcome.ABSTAINED, why=why)
    depth = "; no category below it is sure enough" if has_children else ""
    why = f"The words of the listing point to it with a probability of {result.confidence:.2f}{depth}."
    return Decision(outcome=DecisionOutcome.MODEL, why=why)
