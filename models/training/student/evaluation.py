"""Evaluation of a student, alone or in a cascade, on held-out texts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.arrays import softmax
from models.student.artifact import Measurement
from models.student.calibration import expected_calibration_error, pick_threshold
from models.student.escalation import EscalationPolicy, SecondStage
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.decision import descend, subtree_sums
from models.taxonomy.label_hierarchy import each_same_or_ancestor
from models.taxonomy.tree import Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example
from models.training.student.student import Student, count_matrix

LEVELS = 3
"""Number of taxonomy levels that are evaluated."""
_ROWS = 512


class Path(NamedTuple):
    """The most probable path of each text down to a level.

    Attributes:
        confidence: Probability of the path's last category, shape [examples].
        right: Whether that category is the label, an ancestor of it, or, for a coarse label, below it; shape
            [examples].
        deep: Whether the path reaches the level, shape [examples]. It ends above at a leaf.
    """

    confidence: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    deep: npt.NDArray[np.bool_]


class StudentPredictions:
    """The probabilities that a student, or a cascade, gives labeled examples.

    Args:
        student: Model to evaluate.
        examples: Labeled texts to evaluate on.
        taxonomy: Label space.
        temperature: Divisor of the logits.
        second: Second stage of the cascade, which classifies the texts that the student is unsure of; None
            to evaluate the student alone.

    Attributes:
        labels: Index of each example's category, shape [examples].
        probabilities: Probabilities in batches, each of shape [texts, categories].
        cascade: Whether a second stage took part.
    """

    def __init__(
        self,
        student: Student,
        examples: Sequence[Example],
        taxonomy: Taxonomy,
        temperature: float,
        second: SecondStage | None = None,
    ) -> None:
        self.examples, self.taxonomy, self.cascade = examples, taxonomy, second is not None
        self.labels = np.array([example.category for example in examples], dtype=np.int64)
        counts = count_matrix([text_features(example.text) for example in examples], student.hashes)
        policy = EscalationPolicy(SeenNgrams(student.seen_ngrams), taxonomy)
        self.probabilities = []
        for start in range(0, len(examples), _ROWS):
            chosen = counts[start : start + _ROWS]
            batch = softmax(student.logits(chosen), temperature)
            if second is not None:
                texts = [example.text for example in examples[start : start + _ROWS]]
                escalated = np.flatnonzero(policy.should_escalate(texts, batch, np.diff(chosen.indptr) > 0))
                batch[escalated] = second.combine(
                    [texts[text] for text in escalated.tolist()], batch[escalated]
                )
            self.probabilities.append(batch)

    def at_level(self, level: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Evaluate the most probable category of a level, on the texts whose label is that deep.

        Args:
            level: Level from 1.

        Returns:
            Confidence of the most probable category, and whether it is the label's; both of shape [texts].
        """
        nodes = np.flatnonzero(self.taxonomy.levels == level)
        ends = self.taxonomy.ends[nodes]
        mass = np.concatenate(
            [(sums := subtree_sums(batch))[:, ends] - sums[:, nodes] for batch in self.probabilities]
        )
        best = mass.argmax(axis=1)
        labels = self.taxonomy.lineage[self.labels, level - 1]
        deep = labels >= 0
        confidence = mass[np.arange(len(best)), best].astype(np.float64)
        return np.clip(confidence[deep], 0.0, 1.0), (nodes[best] == labels)[deep]

    def path(self, level: int) -> Path:
        """Walk down to a level as in serving, whatever the confidence.

        Args:
            level: Level from 1.
        """
        # No confidence reaches 2, so no path goes deeper.
        thresholds = [0.0] * level + [2.0]
        found = [descend(batch, self.taxonomy, thresholds) for batch in self.probabilities]
        chosen = np.concatenate([category for category, _, _ in found])
        confidence = np.concatenate([reached for _, reached, _ in found]).astype(np.float64)
        right = each_same_or_ancestor(chosen, self.labels, self.taxonomy)
        return Path(confidence, right, self.taxonomy.levels[chosen] == level)

    def decided(self, thresholds: Sequence[float]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Decide on each text as in serving.

        Args:
            thresholds: Threshold of level 1, 2, ….

        Returns:
            Whether the decision is published, and whether its category is the label, an ancestor of it, or,
            for a coarse label, below it; both of shape [examples].
        """
        decisions = [descend(batch, self.taxonomy, thresholds) for batch in self.probabilities]
        chosen = np.concatenate([category for category, _, _ in decisions])
        published = np.concatenate([certain for _, _, certain in decisions])
        return published, each_same_or_ancestor(chosen, self.labels, self.taxonomy)

    def evaluate(self, name: str, thresholds: Sequence[float]) -> Measurement:
        """Compute accuracy per level, calibration error, coverage and precision.

        Args:
            name: Name of the measurement.
            thresholds: Threshold of level 1, 2, ….
        """
        depth = min(LEVELS, self.taxonomy.lineage.shape[1])
        levels = [self.at_level(level) for level in range(1, depth + 1)]
        published, right = self.decided(thresholds)
        return Measurement(
            name=name,
            texts=len(self.examples),
            accuracy=[round(float(hits.mean()), 4) if len(hits) else 0.0 for _, hits in levels],
            calibration_error=round(expected_calibration_error(*levels[0]), 4),
            published=round(float(published.mean()), 4),
            precision=round(float(right[published].mean()), 4) if published.any() else 0.0,
            cascade=self.cascade,
        )


def choose_thresholds(
    predictions: StudentPredictions, precision: float, minimums: Sequence[float]
) -> list[float]:
    """Choose for each level the lowest threshold that reaches a precision on the examples.

    Args:
        predictions: Predictions for calibration examples.
        precision: Precision to reach, in [0, 1].
        minimums: Lower bound of the threshold of level 1, 2, ….
    """
    return [
        pick_threshold(*predictions.at_level(level), precision=precision, least=minimum)
        for level, minimum in enumerate(minimums[: predictions.taxonomy.lineage.shape[1]], 1)
    ]


def evaluate_groups(
    student: Student,
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    temperature: float,
    thresholds: Sequence[float],
    second: SecondStage | None = None,
) -> list[Measurement]:
    """Evaluate a student, or a cascade, per shop and kind of text.

    Args:
        student: Model to evaluate.
        examples: Labeled texts to evaluate on.
        taxonomy: Label space.
        temperature: Divisor of the logits.
        thresholds: Threshold of level 1, 2, ….
        second: Second stage of the cascade; None to evaluate the student alone.

    Returns:
        One measurement per shop and kind, named `SHOP KIND`.
    """
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(f"{example.shop} {example.kind}", []).append(example)
    return [
        StudentPredictions(student, group, taxonomy, temperature, second).evaluate(name, thresholds)
        for name, group in groups.items()
    ]
