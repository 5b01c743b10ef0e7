"""Measuring a model on texts that it did not learn from."""

from collections.abc import Sequence

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
from models.training.student.trainer import Student, count_matrix

LEVELS = 3
_ROWS = 512


class StudentPredictions:
    """A student's probabilities for labeled examples, or a cascade's.

    Args:
        student: Whose.
        examples: On what.
        taxonomy: The tree.
        temperature: What logits are divided by.
        second: What judges the texts that the student doubts; None: nothing.
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
        policy = EscalationPolicy(SeenNgrams(student.familiar), taxonomy)
        self.shares = []
        for start in range(0, len(examples), _ROWS):
            chosen = counts[start : start + _ROWS]
            share = softmax(student.logits(chosen), temperature)
            if second is not None:
                texts = [example.text for example in examples[start : start + _ROWS]]
                asked = np.flatnonzero(policy.should_escalate(texts, share, np.diff(chosen.indptr) > 0))
                share[asked] = second.combine([texts[text] for text in asked.tolist()], share[asked])
            self.shares.append(share)

    def at_level(self, level: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Confidence and rightness of the likeliest category of a level, where the label goes that deep."""
        nodes = np.flatnonzero(self.taxonomy.levels == level)
        ends = self.taxonomy.ends[nodes]
        mass = np.concatenate(
            [(sums := subtree_sums(share))[:, ends] - sums[:, nodes] for share in self.shares]
        )
        best = mass.argmax(axis=1)
        labels = self.taxonomy.lineage[self.labels, level - 1]
        deep = labels >= 0
        confidence = mass[np.arange(len(best)), best].astype(np.float64)
        return np.clip(confidence[deep], 0.0, 1.0), (nodes[best] == labels)[deep]

    def decided(self, thresholds: Sequence[float]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Whether the model decides; whether its category is the label, above it or, if coarse, below it."""
        reached = [descend(share, self.taxonomy, thresholds) for share in self.shares]
        chosen = np.concatenate([category for category, _, _ in reached])
        sure = np.concatenate([certain for _, _, certain in reached])
        return sure, each_same_or_ancestor(chosen, self.labels, self.taxonomy)

    def measure(self, name: str, thresholds: Sequence[float]) -> Measurement:
        """The accuracy per level, the calibration and the precision of what is published."""
        depth = min(LEVELS, self.taxonomy.lineage.shape[1])
        levels = [self.at_level(level) for level in range(1, depth + 1)]
        sure, right = self.decided(thresholds)
        return Measurement(
            name=name,
            texts=len(self.examples),
            accuracy=[round(float(hits.mean()), 4) if len(hits) else 0.0 for _, hits in levels],
            calibration_error=round(expected_calibration_error(*levels[0]), 4),
            published=round(float(sure.mean()), 4),
            precision=round(float(right[sure].mean()), 4) if sure.any() else 0.0,
            cascade=self.cascade,
        )


def choose_thresholds(
    predictions: StudentPredictions, precision: float, least: Sequence[float]
) -> list[float]:
    """Per level the lowest threshold that keeps the precision on the examples, and at least `least`."""
    return [
        pick_threshold(*predictions.at_level(level), precision=precision, least=floor)
        for level, floor in enumerate(least[: predictions.taxonomy.lineage.shape[1]], 1)
    ]


def evaluate_groups(
    student: Student,
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    temperature: float,
    thresholds: Sequence[float],
    second: SecondStage | None = None,
) -> list[Measurement]:
    """One measurement per shop and kind of text, of the student or, with a second stage, of the cascade."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(f"{example.shop} {example.kind}", []).append(example)
    return [
        StudentPredictions(student, group, taxonomy, temperature, second).measure(name, thresholds)
        for name, group in groups.items()
    ]
