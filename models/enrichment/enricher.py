"""Enrichment of products: category, tags, attributes and embedding from a listing's text."""

from collections.abc import Sequence

from models.arrays import Floats
from models.attributes.attribute_match import AttributeMatch
from models.attributes.brands import read_brands
from models.attributes.extractor import AttributeExtractor
from models.attributes.tags import Tagger
from models.enrichment.category_metadata import has_appearance, is_food
from models.enrichment.decision_cache import DecisionCache, TextDecision
from models.enrichment.event_builder import Enrichment as Enrichment
from models.enrichment.event_builder import EventBuilder
from models.enrichment.listing_text import classified_text, text_with_description, without_markup
from models.enrichment.serving_classifier import load_classifier
from models.serving_config import DEFAULT_CONFIG, ServingConfig
from models.student.artifact import Artifact
from models.student.classifier import Classifier
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import MAX_CHARACTERS, fold, is_terse
from models.zero_shot.classifier import ZeroShotClassifier
from schemas.events import (
    Category,
    DecisionOutcome,
    EnrichmentReview,
    ProductCreated,
    ProductEnriched,
    Source,
    Tag,
)


class Enricher:
    """Enriches batches of products. Thread-safe and deterministic.

    Args:
        classifier: Classifies the listings.
        artifact: The student, whose brands are used; the shipped one for a zero-shot classifier.
        taxonomy: The classifier's category tree.

    Attributes:
        artifact: As given.
        taxonomy: As given.
        model_version: The classifier's version.
        taxonomy_version: The category tree's version.
    """

    def __init__(self, classifier: Classifier, artifact: Artifact, taxonomy: Taxonomy) -> None:
        self.model_version = classifier.model_version
        self.taxonomy_version = taxonomy.version
        self.taxonomy = taxonomy
        self.artifact = artifact
        brands = read_brands(artifact.path / "brands.tsv")
        self._classifier = classifier
        self._extractor = AttributeExtractor.shipped(brands, artifact.manifest.brand_precision)
        self._tagger = Tagger.shipped(taxonomy)
        self._events = EventBuilder(classifier, taxonomy)
        self._cache = DecisionCache()

    @classmethod
    def load(cls, config: ServingConfig = DEFAULT_CONFIG) -> "Enricher":
        """Load a trained model, or a zero-shot classifier for a tree without a model.

        Args:
            config: The model's files, threshold and hardware.

        Raises:
            StopWorker: The model or the tree is missing or damaged, or they do not fit each other.
        """
        tree = Taxonomy.of(config.taxonomy)
        zero_shot = config.taxonomy is not None and config.model is None
        artifact = Artifact.load(config.model, Taxonomy.google() if zero_shot else tree)
        classifier: Classifier
        if zero_shot:
            classifier = ZeroShotClassifier.load(tree, config)
        else:
            classifier = load_classifier(artifact, tree, config)
        return cls(classifier, artifact, tree)

    @property
    def cache_hits(self) -> int:
        """Texts whose decision was cached."""
        return self._cache.hits

    @property
    def cache_misses(self) -> int:
        """Texts that were classified."""
        return self._cache.misses

    def enrich(self, products: Sequence[ProductCreated]) -> list[Enrichment]:
        """Enrich each product, in order. No text of a listing makes it raise."""
        products = [without_markup(product) for product in products]
        texts = [classified_text(product) for product in products]
        decisions = self._decide(texts)
        if self._classifier.reads_descriptions:
            texts = self._with_descriptions(products, texts, decisions)
        span_matches = self._extractor.match_spans(products)
        return [
            self._complete(product, decisions[text], matches)
            for product, text, matches in zip(products, texts, span_matches, strict=True)
        ]

    def probabilities(self, products: Sequence[ProductCreated]) -> Floats:
        """The probabilities of titles, without descriptions, as `Classifier.probabilities`."""
        texts = [classified_text(without_markup(product)) for product in products]
        return self._classifier.probabilities(texts)

    def event(
        self, product: ProductCreated, enrichment: Enrichment, source: Source | None = None
    ) -> ProductEnriched:
        """The product-enriched event of an enrichment.

        Args:
            product: The listing.
            enrichment: The listing's enrichment.
            source: The listing's record; None if it did not come from Kafka.
        """
        return self._events.enriched(product, enrichment, source)

    def review(
        self, product: ProductCreated, enrichment: Enrichment, source: Source | None = None
    ) -> EnrichmentReview | None:
        """The enrichment-review event of an enrichment; None if the model decided.

        Args:
            product: The listing.
            enrichment: The listing's enrichment.
            source: The listing's record; None if it did not come from Kafka.
        """
        return self._events.review(product, enrichment, source)

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """The tags of a product after a person decided its category.

        Args:
            product: The product's last event.
            category: The decided category, of this enricher's taxonomy.
        """
        return self._tagger.retagged(product, category)

    def _with_descriptions(
        self, products: Sequence[ProductCreated], texts: Sequence[str], decisions: dict[str, TextDecision]
    ) -> list[str]:
        """Add the description where the model abstained on the title or the title is terse.

        Args:
            products: The listings.
            texts: Their texts without descriptions.
            decisions: The decisions by text. Those on texts with a description are added.

        Returns:
            The text that decides, for each listing.
        """
        described: dict[int, str] = {}
        for number, (product, text) in enumerate(zip(products, texts, strict=True)):
            if decisions[text].tagged_category < 0 or is_terse(text):
                longer = text_with_description(product, text)
                if longer is not None:
                    described[number] = longer
        if described:
            decisions |= self._decide(list(described.values()))
        return [described.get(number, text) for number, text in enumerate(texts)]

    def _decide(self, texts: Sequence[str]) -> dict[str, TextDecision]:
        cached, missing = self._cache.find(texts)
        classified = {
            text: self._events.text_decision(text, result)
            for text, result in zip(missing, self._classifier.classify(missing), strict=True)
        }
        self._cache.add(classified)
        return cached | classified

    def _complete(
        self, product: ProductCreated, decision: TextDecision, span_matches: Sequence[AttributeMatch]
    ) -> Enrichment:
        attributes = self._extractor.extract(
            product,
            has_appearance=has_appearance(decision.department),
            is_food=is_food(decision.department),
            span_matches=span_matches,
        )
        confidence = decision.category.confidence if decision.category is not None else 0.0
        title = fold(product.title[:MAX_CHARACTERS])
        decided = decision.decision.outcome is DecisionOutcome.MODEL
        return Enrichment(
            category=decision.category,
            tags=self._tagger.tags(decision.tagged_category, confidence, attributes, title),
            attributes=attributes,
            decision=decision.decision,
            embedding=decision.embedding,
            review_reason=None if decided else decision.decision.why,
        )
