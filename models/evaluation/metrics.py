"""Measures of decisions: pure functions of labels, predictions and confidences."""

from math import sqrt

import numpy as np

from models.arrays import Booleans, Doubles, Indices

BINS = 15
_NORMAL = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""


def macro_f1(labels: Indices, predicted: Indices) -> tuple[float, int]:
    """The mean of the categories' F1, over those that occur among the labels, and how many these are.

    A category's F1 is 2 TP / (2 TP + FP + FN). A rare category counts as much as a frequent one.
    """
    if not len(labels):
        return 0.0, 0
    categories, inverse = np.unique(labels, return_inverse=True)
    support = np.bincount(inverse, minlength=len(categories))
    hits = np.bincount(inverse[labels == predicted], minlength=len(categories))
    claimed = np.array([int((predicted == category).sum()) for category in categories])
    return float((2.0 * hits / (support + claimed)).mean()), len(categories)


def interval(right: int, texts: int) -> tuple[float, float]:
    """The 95% confidence interval of a share (Wilson, 1927); 0 to 1 where there is nothing to judge by."""
    if not texts:
        return 0.0, 1.0
    share, squared = right / texts, _NORMAL**2
    middle = (share + squared / (2 * texts)) / (1 + squared / texts)
    half = _NORMAL * sqrt(share * (1 - share) / texts + squared / (4 * texts**2)) / (1 + squared / texts)
    return max(0.0, middle - half), min(1.0, middle + half)


def reliability(confidence: Doubles, right: Booleans, bins: int = BINS) -> list[tuple[int, float, float]]:
    """For each equal-width bin with texts in it: how many, their mean confidence, the share right.

    The mean of the gaps, weighted by texts, is the expected calibration error.
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
    """How precise the surest texts are: pairs of coverage and precision, by growing coverage.

    Args:
        confidence: Of each text.
        right: Whether it is right.
        points: At most how many; always with the last, which is all texts. Texts of like confidence enter
            together, as no threshold parts them.
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    ends = np.flatnonzero(np.append(np.diff(sorted_confidence) != 0.0, True)) if len(order) else order
    chosen = (
        ends[np.unique(np.linspace(0, len(ends) - 1, points).round().astype(np.int64))] if len(ends) else ends
    )
    return [((int(end) + 1) / len(order), float(precision[end])) for end in chosen]
