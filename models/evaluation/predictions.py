"""A served model's predictions for labeled titles, as arrays that can be sliced and scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.arrays import Booleans, Doubles, Indices
from models.enrichment.enricher import Enricher, Enrichment
from models.evaluation.titles import LabeledTitle
from models.taxonomy.decision import subtree_sums
from models.taxonomy.label_hierarchy import each_same_or_ancestor
from models.taxonomy.tree import Taxonomy
from schemas.events import DecisionOutcome, ProductCreated

LEVELS = 3
_BATCH = 256


@dataclass(frozen=True)
class Predictions:
    """A model's predictions for labeled titles. Categories are indices in the taxonomy; -1 means none.

    Attributes:
        titles: Titles with their labels.
        labels: Ancestor of each label at level 1, 2, …, shape [titles, levels]; -1 below the label.
        predicted: Most probable category of each level, independently of the other levels, shape
            [titles, levels].
        confidence: Probability of `predicted`, shape [titles, levels].
        decided: Category in the event, shape [titles]. If the model abstains, it is only a suggestion.
        certainty: Confidence in the event, shape [titles].
        published: Whether the category is published without a person, shape [titles].
        right: Whether `decided` is the label, an ancestor of it, or, for a coarse label, below it, shape
            [titles].
    """

    titles: tuple[LabeledTitle, ...]
    labels: Indices
    predicted: Indices
    confidence: Doubles
    decided: Indices
    certainty: Doubles
    published: Booleans
    right: Booleans

    def __len__(self) -> int:
        """The number of titles."""
        return len(self.titles)

    def take(self, numbers: Sequence[int] | Indices) -> "Predictions":
        """The predictions for the titles with the given numbers, in the given order."""
        rows = np.asarray(numbers, dtype=np.int64)
        arrays = ("labels", "predicted", "confidence", "decided", "certainty", "published", "right")
        return replace(
            self,
            titles=tuple(self.titles[row] for row in rows),
            **{name: getattr(self, name)[rows] for name in arrays},
        )

    def where(self, condition: Callable[[LabeledTitle], bool]) -> "Predictions":
        """The predictions for the titles for which `condition` is true."""
        return self.take([row for row, title in enumerate(self.titles) if condition(title)])

    def at_level(self, level: int) -> tuple[Indices, Indices, Doubles]:
        """Select the titles whose label is at least as deep as a level.

        Args:
            level: Level from 1.

        Returns:
            Labels, predicted categories and confidences at that level, each of shape [selected titles].
        """
        deep = self.labels[:, level - 1] >= 0
        return (
            self.labels[deep, level - 1],
            self.predicted[deep, level - 1],
            self.confidence[deep, level - 1],
        )


def predict(
    enricher: Enricher, titles: Sequence[LabeledTitle], advance: Callable[[int], None] = lambda done: None
) -> Predictions:
    """Classify titles as the agents do.

    Args:
        enricher: Model with its enrichment, as it serves.
        titles: Titles with their labels.
        advance: Called after each batch with the number of titles in it.
    """
    depth = min(LEVELS, enricher.taxonomy.lineage.shape[1])
    predicted = np.full((len(titles), depth), -1, dtype=np.int64)
    confidence = np.zeros((len(titles), depth))
    enrichments: list[Enrichment] = []
    for start in range(0, len(titles), _BATCH):
        batch = [
            ProductCreated(product_id=str(number), title=each.title)
            for number, each in enumerate(titles[start : start + _BATCH], start)
        ]
        enrichments += enricher.enrich(batch)
        rows = slice(start, start + len(batch))
        predicted[rows], confidence[rows] = _most_probable(
            enricher.probabilities(batch), enricher.taxonomy, depth
        )
        advance(len(batch))
    return _joined(titles, predicted, confidence, enrichments, enricher.taxonomy)


def _most_probable(
    probabilities: npt.NDArray[np.float32], taxonomy: Taxonomy, depth: int
) -> tuple[Indices, Doubles]:
    """The most probable category of each level and its probability; -1 and 0 for a text without features."""
    sums, without_features = subtree_sums(probabilities), ~probabilities.any(axis=1)
    best = np.empty((len(probabilities), depth), dtype=np.int64)
    mass = np.empty((len(probabilities), depth))
    for level in range(1, depth + 1):
        nodes = np.flatnonzero(taxonomy.levels == level)
        masses = sums[:, taxonomy.ends[nodes]] - sums[:, nodes]
        chosen = masses.argmax(axis=1)
        best[:, level - 1] = nodes[chosen]
        mass[:, level - 1] = masses[np.arange(len(probabilities)), chosen]
    best[without_features] = -1
    return best, np.clip(mass, 0.0, 1.0)


def _joined(
    titles: Sequence[LabeledTitle],
    predicted: Indices,
    confidence: Doubles,
    enrichments: Sequence[Enrichment],
    taxonomy: Taxonomy,
) -> Predictions:
    labels = np.array([title.category for title in titles], dtype=np.int64)
    categories = [enrichment.category for enrichment in enrichments]
    decided = np.array(
        [taxonomy.node(each.id).index if each is not None else -1 for each in categories], dtype=np.int64
    )
    return Predictions(
        titles=tuple(titles),
        labels=taxonomy.lineage[labels, : predicted.shape[1]],
        predicted=predicted,
        confidence=confidence,
        decided=decided,
        certainty=np.array([each.confidence if each is not None else 0.0 for each in categories]),
        published=np.array(
            [each.decision.outcome is DecisionOutcome.MODEL for each in enrichments], dtype=np.bool_
        ),
        right=(decided >= 0) & each_same_or_ancestor(decided, labels, taxonomy),
    )
