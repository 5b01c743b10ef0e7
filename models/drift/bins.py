"""The features that are watched for drift: listings and their enrichments, counted in fixed bins.

A listing counts once in each feature. The counts of all features are one vector, so that adding a batch to a
window is one addition.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from models.drift.vocabulary_coverage import VocabularyCoverage
from models.enrichment.enricher import Enrichment
from models.taxonomy.tree import Taxonomy
from schemas.events import DecisionOutcome, ProductCreated

Counts = npt.NDArray[np.float64]

LENGTHS = (1, 10, 20, 30, 40, 60, 80, 120, 200)
COVERAGES = (0.0, 0.001, 0.25, 0.5, 0.75, 1.0)
"""Edges of the vocabulary coverage; a title without words has a coverage below 0."""
CONFIDENCES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
DEEPEST = 5
MOST_ATTRIBUTES = 6
LANGUAGES = ("latin", "cjk", "mixed", "other")
FLAGS = ("absent", "present")
NO_DEPARTMENT = "none"
TITLE_FEATURES = ("title_length", "known_words", "language")
FIELD_FEATURES = ("description", "brand", "price")
"""Fields besides the title. The texts of the training do not have them."""
DECISION_FEATURES = ("department", "confidence", "depth", "outcome", "attributes")

_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def language_of(title: str) -> int:
    """The index in `LANGUAGES` of the title's script; `cjk` is Chinese, Japanese and Korean."""
    latin = _LATIN.search(title) is not None
    if title.isascii() or _CJK.search(title) is None:
        return 0 if latin else 3
    return 2 if latin else 1


class ListingBins:
    """Counts listings and their enrichments. Thread-safe.

    `department` is the likeliest department, also if the model abstained. `confidence` is that of the
    category that was published or proposed for review.

    Args:
        taxonomy: The category tree, whose roots are the departments.
        coverage: The vocabulary coverage of the model whose enrichments are counted.

    Attributes:
        bins: The names of each feature's bins, in the order of the vector.
        size: The length of the vector.
    """

    def __init__(self, taxonomy: Taxonomy, coverage: VocabularyCoverage) -> None:
        self._coverage = coverage
        departments = [taxonomy.nodes[root].names[0] for root in taxonomy.roots]
        place = {name: number for number, name in enumerate(departments)}
        self._place_of = {node.id: (place[node.names[0]], node.level) for node in taxonomy.nodes}
        self.bins: dict[str, tuple[str, ...]] = {
            "title_length": ("0", *_ranges(LENGTHS)),
            "known_words": ("no words", "none", *_ranges(COVERAGES[1:])[:-1], "all"),
            "language": LANGUAGES,
            **dict.fromkeys(FIELD_FEATURES, FLAGS),
            "department": (*departments, NO_DEPARTMENT),
            "confidence": (f"below {CONFIDENCES[0]}", *_ranges(CONFIDENCES)),
            "depth": ("abstained", *map(str, range(1, DEEPEST)), f"{DEEPEST} or more"),
            "outcome": ("model", "abstained"),
            "attributes": (*map(str, range(MOST_ATTRIBUTES)), f"{MOST_ATTRIBUTES} or more"),
        }
        ends = np.cumsum([len(names) for names in self.bins.values()]).tolist()
        starts = [0, *ends]
        self._slices = {name: slice(starts[n], starts[n + 1]) for n, name in enumerate(self.bins)}
        self.size: int = ends[-1]

    def feature_counts(self, counts: Counts, feature: str) -> Counts:
        """The counts of one feature.

        Args:
            counts: Counts of all features, shape [size].
            feature: The feature's name.

        Returns:
            A view, shape [bins of the feature].
        """
        return counts[self._slices[feature]]

    def count(self, products: Sequence[ProductCreated], enrichments: Sequence[Enrichment]) -> Counts:
        """Count a batch.

        Args:
            products: The listings.
            enrichments: Their enrichments, in the same order.

        Returns:
            Counts of all features, shape [size].
        """
        counts = np.zeros(self.size)
        self._count_listings(counts, products)
        self._count_decisions(counts, enrichments)
        return counts

    def _count_listings(self, counts: Counts, products: Sequence[ProductCreated]) -> None:
        titles = [product.title for product in products]
        self._add(counts, "title_length", _binned(map(len, titles), LENGTHS, len(titles)))
        self._add(
            counts, "known_words", _binned(map(self._coverage.of_title, titles), COVERAGES, len(titles))
        )
        self._count_values(counts, "language", Counter(map(language_of, titles)))
        for name, present in (
            ("description", sum([1 for product in products if product.description])),
            ("brand", sum([1 for product in products if product.brand])),
            ("price", sum([1 for product in products if product.price is not None])),
        ):
            self._count_values(counts, name, {1: present, 0: len(titles) - present})

    def _count_decisions(self, counts: Counts, enrichments: Sequence[Enrichment]) -> None:
        # A category that the shop gives says nothing about the model.
        enrichments = [each for each in enrichments if each.decision.outcome is not DecisionOutcome.SHOP]
        categories = [each.category for each in enrichments]
        confidences = [each.confidence if each is not None else 0.0 for each in categories]
        self._add(counts, "confidence", _binned(confidences, CONFIDENCES, len(confidences)))
        attributes = Counter([len(each.attributes) for each in enrichments])
        self._count_values(counts, "attributes", attributes, MOST_ATTRIBUTES)
        decided = [each.review_reason is None for each in enrichments]
        ids = [each.id if each is not None else None for each in categories]
        departments = self.feature_counts(counts, "department")
        depths = self.feature_counts(counts, "depth")
        # A batch has few distinct categories, so each is looked up once.
        for (category, is_decided), times in Counter(zip(ids, decided, strict=True)).items():
            department, level = (-1, 0) if category is None else self._place_of.get(category, (-1, 0))
            departments[department] += times
            depths[min(level, DEEPEST) if is_decided else 0] += times
        by_model = sum(decided)
        self._count_values(counts, "outcome", {0: by_model, 1: len(decided) - by_model})

    def _add(self, counts: Counts, feature: str, binned: npt.NDArray[np.int64]) -> None:
        self.feature_counts(counts, feature)[: len(binned)] += binned

    def _count_values(
        self, counts: Counts, feature: str, times_by_value: Mapping[int, int], most: int | None = None
    ) -> None:
        """Add the number of times of each bin; values above `most` count in its bin."""
        part = self.feature_counts(counts, feature)
        for value, times in times_by_value.items():
            part[value if most is None else min(value, most)] += times


def _binned(values: Iterable[float], edges: Sequence[float], count: int) -> npt.NDArray[np.int64]:
    """Count values between edges.

    Args:
        values: The values.
        edges: Edges, ascending.
        count: The number of values.

    Returns:
        The number of values below the first edge, from the first to below the second, and so on.
    """
    array = np.fromiter(values, dtype=np.float64, count=count)
    return np.bincount(np.searchsorted(edges, array, side="right"), minlength=len(edges) + 1)


def _ranges(edges: Sequence[float]) -> list[str]:
    """The names of the bins that begin at each edge."""
    return [
        f"{low} to {high}" if high is not None else f"{low} or more"
        for low, high in zip(edges, [*edges[1:], None], strict=True)
    ]
