"""What a served model says of labeled titles, as arrays that can be measured and cut into parts."""

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
    """A model's opinion of titles. Categories are indices in the taxonomy; -1 stands for none.

    Attributes:
        titles: What was judged.
        labels: Shape [titles, levels]: each label's ancestor at level 1, 2, …; -1 below the label.
        predicted: Shape [titles, levels]: the likeliest category of each level, whatever the others.
        confidence: Shape [titles, levels]: its probability.
        decided: Shape [titles]: what the event says, a guess where it abstains.
        certainty: Shape [titles]: the confidence that the event gives.
        published: Shape [titles]: whether the model decided alone.
        right: Shape [titles]: whether `decided` is the label, above it, or below it where it is coarse.
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

    def take(self, wanted: Sequence[int] | Indices) -> "Predictions":
        """The predictions of the titles with these numbers."""
        rows = np.asarray(wanted, dtype=np.int64)
        arrays = ("labels", "predicted", "confidence", "decided", "certainty", "published", "right")
        return replace(
            self,
            titles=tuple(self.titles[row] for row in rows),
            **{name: getattr(self, name)[rows] for name in arrays},
        )

    def where(self, wanted: Callable[[LabeledTitle], bool]) -> "Predictions":
        """The predictions of those titles of which `wanted` holds."""
        return self.take([row for row, title in enumerate(self.titles) if wanted(title)])

    def at_level(self, level: int) -> tuple[Indices, Indices, Doubles]:
        """Labels, predictions and confidences of the titles whose label goes down to `level`, from 1."""
        deep = self.labels[:, level - 1] >= 0
        return (
            self.labels[deep, level - 1],
            self.predicted[deep, level - 1],
            self.confidence[deep, level - 1],
        )


def judge(
    enricher: Enricher, titles: Sequence[LabeledTitle], advance: Callable[[int], None] = lambda done: None
) -> Predictions:
    """Ask a model about titles as the agents do.

    Args:
        enricher: The model.
        titles: With their labels.
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
        predicted[rows], confidence[rows] = _likeliest(
            enricher.probabilities(batch), enricher.taxonomy, depth
        )
        advance(len(batch))
    return _joined(titles, predicted, confidence, enrichments, enricher.taxonomy)


def _likeliest(share: npt.NDArray[np.float32], taxonomy: Taxonomy, depth: int) -> tuple[Indices, Doubles]:
    """The likeliest category of each level with its probability; -1 and 0 for a text that says nothing."""
    sums, silent = subtree_sums(share), ~share.any(axis=1)
    best = np.empty((len(share), depth), dtype=np.int64)
    mass = np.empty((len(share), depth))
    for level in range(1, depth + 1):
        nodes = np.flatnonzero(taxonomy.levels == level)
        masses = sums[:, taxonomy.ends[nodes]] - sums[:, nodes]
        chosen = masses.argmax(axis=1)
        best[:, level - 1] = nodes[chosen]
        mass[:, level - 1] = masses[np.arange(len(share)), chosen]
    best[silent] = -1
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
