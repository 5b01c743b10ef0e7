"""Enrichment of products: category, tags, attributes and embedding from a listing's text."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from models.arrays import Floats
from models.attributes.attribute_match import AttributeMatch
from models.attributes.brands import read_brands
from models.attributes.extractor import AttributeExtractor
from models.attributes.tags import Tagger
from models.attributes.vocabulary import Vocabulary
from models.enrichment.category_evidence import ListingText, listing_text
from models.enrichment.category_metadata import has_appearance, is_food
from models.enrichment.decision_cache import DecisionCache, TextDecision
from models.enrichment.event_builder import Enrichment as Enrichment
from models.enrichment.event_builder import EventBuilder
from models.enrichment.listing_classifier import ListingClassifier
from models.enrichment.listing_text import text_with_description, without_markup
from models.enrichment.serving_classifier import load_classifier, load_mapped_classifier
from models.enrichment.shop_category import ShopCategories
from models.enrichment.shop_mix import ShopMix, ShopMixes
from models.serving_config import DEFAULT_CONFIG, ServingConfig
from models.student.artifact import Artifact
from models.student.classifier import Classifier
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.google_mapping import GoogleMapping
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import MAX_CHARACTERS, clean, fold
from models.text.language_detection import LanguageDetector, is_supported, language_code
from models.zero_shot.classifier import ZeroShotClassifier
from models.zero_shot.language_classifier import LanguageClassifier
from schemas.events import (
    Attribute,
    Category,
    DecisionOutcome,
    EnrichmentReview,
    IgnoredField,
    ProductCreated,
    ProductEnriched,
    Source,
    Tag,
)


class Enricher:
    """Enriches batches of products. Thread-safe and deterministic.

    Args:
        classifier: Classifies the listings.
        artifact: The student, whose brands are used; the shipped one for a tree without a model.
        taxonomy: The classifier's category tree.

    Attributes:
        artifact: As given.
        taxonomy: As given.
        model_version: The classifier's version.
        taxonomy_version: The category tree's version.
        thresholds: Least confidence of a published category of level 1, 2, …; the last one holds for all
            deeper levels.
    """

    def __init__(self, classifier: Classifier, artifact: Artifact, taxonomy: Taxonomy) -> None:
        self.model_version = classifier.model_version
        self.taxonomy_version = taxonomy.version
        self.thresholds = classifier.thresholds
        self.taxonomy = taxonomy
        self.artifact = artifact
        brands = read_brands(artifact.path / "brands.tsv")
        self._classifier = classifier
        self._listings = ListingClassifier(classifier, taxonomy)
        self._shop_categories = ShopCategories(taxonomy)
        self._languages = LanguageDetector(SeenNgrams(artifact.tensor("familiar")).coverage)
        self._by_names = LanguageClassifier(taxonomy)
        self._extractor = AttributeExtractor.shipped(brands, artifact.manifest.brand_precision)
        self._vocabulary = Vocabulary.shipped()
        self._tagger = Tagger.shipped(taxonomy)
        self._events = EventBuilder(classifier, taxonomy)
        self._cache = DecisionCache()

    @classmethod
    def load(cls, config: ServingConfig = DEFAULT_CONFIG) -> "Enricher":
        """Load a trained model, or what classifies in a tree without a model.

        That is the shipped model if the tree is mapped to Google's, and else a zero-shot classifier.

        Args:
            config: The model's files, threshold and hardware.

        Raises:
            StopWorker: The model or the tree is missing or damaged, or they do not fit each other.
        """
        tree = Taxonomy.of(config.taxonomy)
        untrained = config.taxonomy is not None and config.model is None
        mapping = GoogleMapping.of(tree) if untrained else None
        artifact = Artifact.load(config.model, Taxonomy.google() if untrained else tree)
        classifier: Classifier
        if mapping is not None:
            classifier = load_mapped_classifier(artifact, mapping, config)
        elif untrained:
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

    def enrich(self, products: Sequence[ProductCreated], mixes: ShopMixes | None = None) -> list[Enrichment]:
        """Enrich each product, in order. No text of a listing makes it raise.

        Args:
            products: The listings.
            mixes: The mixes of their shops, which weigh each listing and then count it; None for no mix.
        """
        products = [without_markup(product) for product in products]
        languages = [self._language(product) for product in products]
        listings = [self._listing_text(product) for product in products]
        read = [number for number, language in enumerate(languages) if is_supported(language)]
        decisions = self._decisions(
            [products[number] for number in read], [listings[number] for number in read]
        )
        span_matches = self._extractor.match_spans([products[number] for number in read])
        found = dict(zip(read, zip(decisions, span_matches, strict=True), strict=True))
        enrichments = []
        for number, (product, language) in enumerate(zip(products, languages, strict=True)):
            if number not in found:
                enrichments.append(self._in_other_language(product, language or ""))
                continue
            decision, matches = found[number]
            weighed = self._events.weighed(decision, product.shop_id, mixes)
            enriched = self._complete(product, language, weighed, matches)
            enrichments.append(replace(enriched, departments=decision.departments))
        return enrichments

    def mix(self, stored: bytes | None) -> ShopMix:
        """The mix of a shop in this tree, from its stored form; empty if None, or of another tree."""
        return ShopMix.from_bytes(stored, self.taxonomy_version, len(self.taxonomy.roots))

    def probabilities(self, products: Sequence[ProductCreated]) -> Floats:
        """The probabilities of titles alone, as `Classifier.probabilities`."""
        return self._classifier.probabilities(
            [listing_text(without_markup(product), None).text for product in products]
        )

    def event(
        self,
        product: ProductCreated,
        enrichment: Enrichment,
        source: Source | None = None,
        ignored: Sequence[IgnoredField] = (),
    ) -> ProductEnriched:
        """The product-enriched event of an enrichment.

        Args:
            product: The listing.
            enrichment: The listing's enrichment.
            source: The listing's record; None if it did not come from Kafka.
            ignored: The fields of the listing that were left out.
        """
        return self._events.enriched(product, enrichment, source, ignored)

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

    def _language(self, product: ProductCreated) -> str | None:
        """The given language, or else the detected one; None if neither is known."""
        if (given := language_code(product.language)) is not None:
            return given
        title = clean(product.title)
        if (detected := self._languages.detect(title)) is not None:
            return detected
        likeliest = self._languages.likeliest(title)
        return likeliest if self._by_names.is_of(title, likeliest) else None

    def _listing_text(self, product: ProductCreated) -> ListingText:
        """The texts to classify. Beside a category of the tree there is no evidence: the title checks it."""
        text = listing_text(product, self._shop_categories.own_path(product))
        return ListingText(text.text) if self._shop_categories.find(product.category) >= 0 else text

    def _decisions(
        self, products: Sequence[ProductCreated], texts: Sequence[ListingText]
    ) -> list[TextDecision]:
        """The decisions on listings in a supported language.

        A description is read wherever there is one: a student may be sure of a title that misleads.
        """
        decisions = self._decide(texts)
        if not self._classifier.reads_descriptions:
            return [decisions[text] for text in texts]
        described: dict[int, ListingText] = {}
        for number, (product, text) in enumerate(zip(products, texts, strict=True)):
            longer = text_with_description(product, text)
            if longer is not None:
                described[number] = longer
        if described:
            decisions |= self._decide(list(described.values()))
        found = [decisions[text] for text in texts]
        for number, longer in described.items():
            decision = decisions[longer]
            # A description that leaves the title's own department less sure says nothing against the title.
            if decision.tagged_category >= 0 or decision.department != found[number].department:
                found[number] = decision
        return found

    def _decide(self, texts: Sequence[ListingText]) -> dict[ListingText, TextDecision]:
        cached, missing = self._cache.find(texts)
        classified = {
            text: self._events.text_decision(text.text, result, conflict)
            for text, (result, conflict) in zip(missing, self._listings.classify(missing), strict=True)
        }
        self._cache.add(classified)
        return cached | classified

    def _complete(
        self,
        product: ProductCreated,
        language: str | None,
        decision: TextDecision,
        span_matches: Sequence[AttributeMatch],
    ) -> Enrichment:
        given = self._shop_categories.find(product.category)
        if given >= 0:
            decision = self._events.shop_decision(given, str(product.category), decision)
        attributes = self._extractor.extract(
            product,
            has_appearance=has_appearance(decision.department),
            is_food=is_food(decision.department),
            span_matches=span_matches,
        )
        title = fold(product.title[:MAX_CHARACTERS])
        return self._enrichment(product, language, decision, attributes, title)

    def _in_other_language(self, product: ProductCreated, language: str) -> Enrichment:
        """The enrichment of a listing that the models do not read: by its shop's fields and by names."""
        given = self._shop_categories.find(product.category)
        result = self._by_names.classify(clean(product.title), language)
        if result is None:
            decision = self._events.unread_decision(language)
        else:
            decision = self._events.text_decision(product.title, result)
        if given >= 0:
            decision = self._events.shop_decision(given, str(product.category), decision)
        attributes = self._extractor.extract(msgspec.structs.replace(product, title="", description=""))
        return self._enrichment(product, language, decision, attributes, "")

    def _enrichment(
        self,
        product: ProductCreated,
        language: str | None,
        decision: TextDecision,
        attributes: list[Attribute],
        title: str,
    ) -> Enrichment:
        confidence = decision.category.confidence if decision.category is not None else 0.0
        abstained = decision.decision.outcome is DecisionOutcome.ABSTAINED
        if decision.tagged_category >= 0:
            node = self.taxonomy.nodes[decision.tagged_category]
            attributes = self._vocabulary.checked(attributes, node, self.taxonomy_version)
        return Enrichment(
            category=decision.category,
            tags=self._tagger.tags(decision.tagged_category, confidence, attributes, title),
            attributes=attributes,
            decision=decision.decision,
            embedding=decision.embedding,
            review_reason=decision.decision.why if abstained else None,
            language=language,
            shop_category=self._shop_categories.own_path(product),
        )
