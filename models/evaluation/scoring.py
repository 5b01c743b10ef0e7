"""Computes the metrics of the report from predictions."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from models.arrays import Indices
from models.evaluation.metrics import BINS, coverage_curve, interval, macro_f1, reliability
from models.evaluation.predictions import Predictions
from models.evaluation.report import Bin, Confusion, Curve, Detail, Level, Mistake, Scores
from models.student.calibration import expected_calibration_error
from models.taxonomy.tree import Taxonomy

Explain = Callable[[str], list[str]]
"""A function from a title to the lines that explain its predicted category."""

CONFUSIONS = 15
MISTAKES = 12
_DIGITS = 4


def level_scores(labels: Indices, predicted: Indices) -> list[Level]:
    """Compute the metrics of each level.

    Args:
        labels: Ancestor of each label at level 1, 2, …, shape [titles, levels]; -1 below the label.
        predicted: Predicted category of each level, shape [titles, levels].
    """
    found = []
    for column in range(labels.shape[1]):
        deep = labels[:, column] >= 0
        truth, guess = labels[deep, column], predicted[deep, column]
        right, texts = int((truth == guess).sum()), len(truth)
        low, high = interval(right, texts)
        f1, categories = macro_f1(truth, guess)
        found.append(
            Level(
                level=column + 1,
                texts=texts,
                accuracy=_rounded(right / texts) if texts else 0.0,
                low=_rounded(low),
                high=_rounded(high),
                macro_f1=_rounded(f1),
                categories=categories,
            )
        )
    return found


def scores(name: str, predictions: Predictions) -> Scores:
    """Compute all metrics of a group.

    Args:
        name: Name of the group.
        predictions: Predictions for at least one title.
    """
    truth, guess, confidence = predictions.at_level(1)
    published = predictions.published
    return Scores(
        name=name,
        texts=len(predictions),
        levels=level_scores(predictions.labels, predictions.predicted),
        calibration_error=_rounded(expected_calibration_error(confidence, truth == guess, BINS)),
        coverage=_rounded(float(published.mean())),
        precision=_rounded(float(predictions.right[published].mean())) if published.any() else None,
    )


def detail(source: str, predictions: Predictions, taxonomy: Taxonomy, explain: Explain) -> Detail:
    """Compute the detailed results of one source.

    Args:
        source: Name of the source.
        predictions: Predictions for its titles.
        taxonomy: Category tree.
        explain: Explains a prediction.
    """
    truth, guess, confidence = predictions.at_level(1)
    bins = reliability(confidence, truth == guess)
    return Detail(
        source=source,
        scores=scores(source, predictions),
        reliability=[
            Bin(texts=texts, confidence=_rounded(mean), accuracy=_rounded(accuracy))
            for texts, mean, accuracy in bins
        ],
        curves=[_curve(predictions, level) for level in range(1, predictions.labels.shape[1] + 1)],
        confusions=confusions(predictions, taxonomy)[:CONFUSIONS],
        mistakes=mistakes(predictions, taxonomy, explain, MISTAKES),
    )


def confusions(predictions: Predictions, taxonomy: Taxonomy) -> list[Confusion]:
    """Count the categories that are predicted as a sibling, most frequent first."""
    found: list[Confusion] = []
    for level in range(1, predictions.labels.shape[1] + 1):
        truth, guess, _ = predictions.at_level(level)
        belongs = Counter(truth.tolist())
        pairs = Counter(
            (label, taken)
            for label, taken in zip(truth.tolist(), guess.tolist(), strict=True)
            if label != taken >= 0 and taxonomy.nodes[label].parent == taxonomy.nodes[taken].parent
        )
        found += [
            Confusion(
                level=level,
                label=taxonomy.nodes[label].path,
                taken_for=taxonomy.nodes[taken].name,
                texts=texts,
                of=belongs[label],
            )
            for (label, taken), texts in pairs.items()
        ]
    return sorted(found, key=lambda each: (-each.texts, each.level, each.label, each.taken_for))


def mistakes(predictions: Predictions, taxonomy: Taxonomy, explain: Explain, count: int) -> list[Mistake]:
    """Find the wrong decisions with the highest confidence, whether or not they are published.

    Args:
        predictions: Predictions.
        taxonomy: Category tree.
        explain: Explains a prediction.
        count: Maximum number of mistakes.
    """
    wrong = np.flatnonzero(~predictions.right & (predictions.decided >= 0))
    worst = sorted(
        wrong.tolist(), key=lambda row: (-predictions.certainty[row], predictions.titles[row].title)
    )
    return [
        Mistake(
            title=predictions.titles[row].title,
            label=taxonomy.nodes[predictions.titles[row].category].path,
            decided=taxonomy.nodes[int(predictions.decided[row])].path,
            confidence=_rounded(float(predictions.certainty[row])),
            published=bool(predictions.published[row]),
            reasons=explain(predictions.titles[row].title),
        )
        for row in worst[:count]
    ]


def _curve(predictions: Predictions, level: int) -> Curve:
    truth, guess, confidence = predictions.at_level(level)
    points = coverage_curve(confidence, truth == guess)
    return Curve(
        level=level, points=[(_rounded(coverage), _rounded(precision)) for coverage, precision in points]
    )


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
