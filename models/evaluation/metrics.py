"""Classification metrics: pure functions of labels, predictions and confidences."""

from math import sqrt

import numpy as np

from models.arrays import Booleans, Doubles, Indices

BINS = 15
_NORMAL = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""


def macro_f1(labels: Indices, predicted: Indices) -> tuple[float, int]:
    """Compute macro F1 over the categories that occur among the labels.

    A category's F1 is 2 TP / (2 TP + FP + FN). A rare category has the same weight as a frequent one.

    Args:
        labels: Index of each text's category, shape [texts].
        predicted: Index of each text's predicted category, shape [texts].

    Returns:
        Mean F1 in [0, 1], and the number of categories.
    """
    if not len(labels):
        return 0.0, 0
    categories, inverse = np.unique(labels, return_inverse=True)
    support = np.bincount(inverse, minlength=len(categories))
    hits = np.bincount(inverse[labels == predicted], minlength=len(categories))
    predictions = np.array([int((predicted == category).sum()) for category in categories])
    return float((2.0 * hits / (support + predictions)).mean()), len(categories)


def interval(right: int, texts: int) -> tuple[float, float]:
    """Compute the 95% confidence interval of an accuracy (Wilson, 1927).

    Args:
        right: Number of correct texts.
        texts: Number of texts.

    Returns:
        Lower and upper bound in [0, 1]; 0 and 1 without texts.
    """
    if not texts:
        return 0.0, 1.0
    accuracy, squared = right / texts, _NORMAL**2
    middle = (accuracy + squared / (2 * texts)) / (1 + squared / texts)
    variance = accuracy * (1 - accuracy) / texts + squared / (4 * texts**2)
    half = _NORMAL * sqrt(variance) / (1 + squared / texts)
    return max(0.0, middle - half), min(1.0, middle + half)


def reliability(confidence: Doubles, right: Booleans, bins: int = BINS) -> list[tuple[int, float, float]]:
    """Compare confidence and accuracy in bins of equal width.

    The mean gap between both, weighted by texts, is the expected calibration error.

    Args:
        confidence: Confidence of each text, shape [texts].
        right: Whether each prediction is correct, shape [texts].
        bins: Number of bins.

    Returns:
        Number of texts, mean confidence and accuracy of each bin that is not empty.
    """
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return [
        (
            int((bin_of == index).sum()),
            float(confidence[bin_of == index].mean()),
            float(right[bin_of == index].mean()),
        )
        for index in np.unique(bin_of)
    ]


def coverage_curve(confidence: Doubles, right: Booleans, points: int = 60) -> list[tuple[float, float]]:
    """Compute the precision of the most confident texts as a function of coverage.

    Args:
        confidence: Confidence of each text, shape [texts].
        right: Whether each prediction is correct, shape [texts].
        points: Maximum number of pairs. The last pair covers all texts. Texts with equal confidence enter
            together, as no threshold separates them.

    Returns:
        Pairs of coverage and precision, by ascending coverage.
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    ends = np.flatnonzero(np.append(np.diff(sorted_confidence) != 0.0, True)) if len(order) else order
    chosen = (
        ends[np.unique(np.linspace(0, len(ends) - 1, points).round().astype(np.int64))] if len(ends) else ends
    )
    return [((int(end) + 1) / len(order), float(precision[end])) for end in chosen]
