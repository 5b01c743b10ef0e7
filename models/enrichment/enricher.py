"""Enrichment of products: category, tags, attributes and embedding from what a listing says."""

import re
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.attributes.brands import read_brands
from models.attributes.extractor import AttributeExtractor
from models.attributes.quantities import Found
from models.attributes.tags import Tagger
from models.encoder.device import Hardware
from models.encoder.loading import second_stage
from models.enrichment.listing_text import classified_text, fuller_text
from models.student.artifact import Artifact
from models.student.backend import Backend
from models.student.checks import check_student
from models.student.classifier import Classification, Classifier, StudentClassifier
from models.student.numpy_backend import NumpyBackend
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import MAX_CHARACTERS, fold, is_terse
from models.zero_shot.classifier import ZeroShotClassifier
from schemas.events import (
    Alternative,
    Attribute,
    Category,
    Decision,
    DecisionOutcome,
    Embedding,
    EnrichmentReview,
    ProductCreated,
    ProductEnriched,
    Source,
    Tag,
)

CACHED_TEXTS = 50_000
CACHED_CHARACTERS = 500
"""Longer texts are classified again when they come again: few do, and all of them would be a gigabyte."""
TITLE_CHARACTERS = 1_000
"""Longer titles are cut in events: the rest tells a reader nothing and could outgrow the broker's limit."""
# What departments of food are called, in Google's tree and in shops' own.
_EDIBLE = re.compile(r"\b(?:foods?|grocery|groceries|beverages?)\b|食品|生鲜|饮料|零食", re.IGNORECASE)
_NO_LOOKS = frozenset({"Health & Beauty", "Business & Industrial", "Software", "Media"})


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What shelfstream makes of one product.

    Attributes:
        category: The deepest one that is sure enough; a guess where abstained; None where nothing is known.
        tags: Best first.
        attributes: With the evidence for each.
        decision: Whether the model decided, and why.
        embedding: The direction of the title's text; None where nothing is known.
        review_why: Why a person should look; None where the model decided.
    """

    category: Category | None
    tags: list[Tag]
    attributes: list[Attribute]
    decision: Decision
    embedding: Embedding | None
    review_why: str | None


class Enricher:
    """Enriches batches of products. Thread-safe, and the same for the same input.

    Args:
        classifier: Decides categories.
        artifact: The model whose brands are known; the shipped one where the names of a tree decide alone.
        taxonomy: The classifier's category tree.

    Attributes:
        artifact: As given.
        model_version: The classifier's.
        taxonomy_version: The category tree's.
        taxonomy: The category tree.
        cache_hits: Texts whose classification was at hand.
        cache_misses: Texts that were classified.
    """

    def __init__(self, classifier: Classifier, artifact: Artifact, taxonomy: Taxonomy) -> None:
        self.model_version = classifier.model_version
        self.taxonomy_version = taxonomy.version
        self.taxonomy = taxonomy
        self.cache_hits = 0
        self.cache_misses = 0
        self.artifact = artifact
        brands = read_brands(artifact.path / "brands.tsv")
        self._classifier = classifier
        self._extractor = AttributeExtractor.shipped(brands, artifact.manifest.brand_precision)
        self._tagger = Tagger.shipped(taxonomy)
        self._cache: OrderedDict[str, _Decided] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        backend: Literal["onnx", "numpy"] = "onnx",
        threads: int = 1,
        threshold: float | None = None,
        cascade: bool = True,
        taxonomy: Path | None = None,
        cache: Path | None = None,
        encoder: Path | None = None,
        hardware: Hardware = Hardware(),  # noqa: B008 - immutable
    ) -> "Enricher":
        """Load a trained model; or, for a tree of your own without a model, none: categories by their names.

        Args:
            path: The model's folder; None is the one that comes with the project, or none for `taxonomy`.
            backend: `onnx` serves; `numpy` is the reference.
            threads: For each batch, onnx only.
            threshold: The least confidence of a published category; None is what the model's makers chose.
            cascade: Whether text encoders judge what the student is unsure of.
            taxonomy: The file of the model's category tree; None is Google's.
            cache: The folder where the encoders' points of such a tree are kept; None: each start makes them.
            encoder: The folder of text encoders; None is the one that comes with the project.
            hardware: What runs the text encoders.

        Raises:
            StopWorker: The model or the tree is missing, damaged or does not fit; says why.
        """
        tree = Taxonomy.of(taxonomy)
        untrained = taxonomy is not None and path is None
        artifact = Artifact.load(path, Taxonomy.google() if untrained else tree)
        classifier: Classifier
        if untrained:
            classifier = ZeroShotClassifier.load(tree, cache, threads, threshold, encoder, hardware)
        else:
            onnx = backend == "onnx"
            runner: Backend = OnnxBackend(artifact, threads) if onnx else NumpyBackend.load(artifact)
            check_student(artifact, runner)
            asked = cascade and artifact.manifest.alone is not True
            second = second_stage(tree, cache, threads, encoder, hardware) if asked else None
            classifier = StudentClassifier(artifact, runner, tree, threshold, second)
        return cls(classifier, artifact, tree)

    def enrich(self, products: Sequence[ProductCreated]) -> list[Enrichment]:
        """Enrich each product, in order; never raises for what a text says."""
        texts = [classified_text(product) for product in products]
        decided = self._decide(texts)
        if self._classifier.reads_descriptions:
            texts = self._with_descriptions(products, texts, decided)
        marked = self._extractor.mark(products)
        return [
            self._complete(product, decided[text], marks)
            for product, text, marks in zip(products, texts, marked, strict=True)
        ]

    def shares(self, products: Sequence[ProductCreated]) -> npt.NDArray[np.float32]:
        """The probabilities that titles give, as `Classifier.shares`: descriptions are left out."""
        return self._classifier.shares([classified_text(product) for product in products])

    def event(
        self, product: ProductCreated, enrichment: Enrichment, source: Source | None = None
    ) -> ProductEnriched:
        """The product-enriched event of an enrichment.

        Args:
            product: The listing.
            enrichment: What `enrich` made of it.
            source: The record that the listing came in; None where it was no Kafka record.
        """
        return ProductEnriched(
            product_id=product.product_id,
            title=product.title[:TITLE_CHARACTERS],
            decision=enrichment.decision,
            category=enrichment.category,
            tags=enrichment.tags,
            attributes=enrichment.attributes,
            embedding=enrichment.embedding,
            model_version=self.model_version,
            taxonomy_version=self.taxonomy_version,
            source=source,
        )

    def review(
        self, product: ProductCreated, enrichment: Enrichment, source: Source | None = None
    ) -> EnrichmentReview | None:
        """The enrichment-review event of an enrichment; None where the model decided."""
        if enrichment.review_why is None:
            return None
        return EnrichmentReview(
            product_id=product.product_id,
            title=product.title[:TITLE_CHARACTERS],
            why=enrichment.review_why,
            candidates=enrichment.category.alternatives if enrichment.category is not None else [],
            model_version=self.model_version,
            taxonomy_version=self.taxonomy_version,
            source=source,
        )

    def retagged(self, product: ProductEnriched, category: Category) -> list[Tag]:
        """The tags of a product once somebody else has decided its category.

        Args:
            product: What was published of it.
            category: The decided category, of this enricher's taxonomy.
        """
        return self._tagger.retagged(product, category)

    def _with_descriptions(
        self, products: Sequence[ProductCreated], texts: Sequence[str], decided: dict[str, "_Decided"]
    ) -> list[str]:
        """The texts that decide: with the description where the title is unsure, or hardly says anything.

        What is decided of them is added to `decided`. A title that says enough costs no more.
        """
        pairs = enumerate(zip(products, texts, strict=True))
        told = {
            number: fuller_text(product, text)
            for number, (product, text) in pairs
            if decided[text].tagged < 0 or is_terse(text)
        }
        longer = {number: text for number, text in told.items() if text is not None}
        if longer:
            decided |= self._decide(list(longer.values()))
        return [longer.get(number, text) for number, text in enumerate(texts)]

    def _decide(self, texts: Sequence[str]) -> dict[str, "_Decided"]:
        known: dict[str, _Decided] = {}
        with self._lock:
            for text in dict.fromkeys(texts):
                if (decided := self._cache.get(text)) is not None:
                    self._cache.move_to_end(text)
                    known[text] = decided
            missing = [text for text in dict.fromkeys(texts) if text not in known]
            self.cache_misses += len(missing)
            self.cache_hits += len(texts) - len(missing)
        fresh = {
            text: self._judge(text, result)
            for text, result in zip(missing, self._classifier.classify(missing), strict=True)
        }
        with self._lock:
            self._cache.update((text, each) for text, each in fresh.items() if len(text) <= CACHED_CHARACTERS)
            while len(self._cache) > CACHED_TEXTS:
                self._cache.popitem(last=False)
        return known | fresh

    def _judge(self, text: str, result: Classification) -> "_Decided":
        if result.category < 0:
            why = (
                "The listing has no text to judge by."
                if not text
                else "Not one word of the listing is known."
            )
            return _Decided(None, Decision(outcome=DecisionOutcome.ABSTAINED, why=why), None, -1, "")
        nodes = self.taxonomy.nodes
        node = nodes[result.category]
        category = Category(
            id=node.id,
            path=node.path,
            confidence=result.confidence,
            alternatives=[
                Alternative(id=nodes[index].id, path=nodes[index].path, confidence=share)
                for index, share in result.candidates
            ],
        )
        decision = _decision(result, bool(node.children))
        # Where the description alone is known, there is no direction to say.
        embedding = (
            Embedding(
                dimensions=self._classifier.dimensions,
                int8=b64encode(result.embedding.tobytes()).decode("ascii"),
                model_version=self.model_version,
            )
            if result.embedding.any()
            else None
        )
        return _Decided(category, decision, embedding, result.category if result.sure else -1, node.names[0])

    def _complete(self, product: ProductCreated, decided: "_Decided", marked: Sequence[Found]) -> Enrichment:
        edible = _EDIBLE.search(decided.root) is not None
        looks = not edible and decided.root not in _NO_LOOKS
        attributes = self._extractor.extract(product, looks=looks, edible=edible, marked=marked)
        confidence = decided.category.confidence if decided.category is not None else 0.0
        return Enrichment(
            category=decided.category,
            tags=self._tagger.tags(
                decided.tagged, confidence, attributes, fold(product.title[:MAX_CHARACTERS])
            ),
            attributes=attributes,
            decision=decided.decision,
            embedding=decided.embedding,
            review_why=None if decided.decision.outcome is DecisionOutcome.MODEL else decided.decision.why,
        )


@dataclass(frozen=True, slots=True)
class _Decided:
    """What depends on the classified text alone, and so is cached."""

    category: Category | None
    decision: Decision
    embedding: Embedding | None
    tagged: int
    root: str


def _decision(result: Classification, has_children: bool) -> Decision:
    """The decision in words; they leave out the path, whose names could be mistaken for an outcome."""
    if not result.sure:
        why = f"Even the likeliest department has a probability of only {result.confidence:.2f}."
        return Decision(outcome=DecisionOutcome.ABSTAINED, why=why)
    depth = "; no category below it is sure enough" if has_children else ""
    why = f"The words of the listing point to it with a probability of {result.confidence:.2f}{depth}."
    return Decision(outcome=DecisionOutcome.MODEL, why=why)
