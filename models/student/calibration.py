"""Calibration on held-out texts: temperature, expected calibration error and thresholds."""

import numpy as np
import numpy.typing as npt

from models.arrays import Floats, Indices, softmax
from models.taxonomy.decision import subtree_sums
from models.taxonomy.tree import Taxonomy


def fit_temperature(logits: Floats, labels: Indices, taxonomy: Taxonomy) -> float:
    """The temperature from 0.5 to 3 that maximizes the likelihood of the labels (Guo et al., 2017).

    Args:
        logits: Logits of held-out texts, shape [texts, categories].
        labels: Category indices, shape [texts]. A coarse label counts with its whole subtree.
        taxonomy: The category tree.
    """
    ends = taxonomy.ends[labels]

    def loss(temperature: float) -> float:
        sums = subtree_sums(softmax(logits, temperature))
        each = np.arange(len(labels))
        mass = sums[each, ends] - sums[each, labels]
        return float(-np.log(np.maximum(mass, 1e-9)).mean())

    grid = np.geomspace(0.5, 3.0, 13)
    best = int(np.argmin([loss(float(value)) for value in grid]))
    fine = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 13)
    return round(float(fine[int(np.argmin([loss(float(value)) for value in fine]))]), 3)


def expected_calibration_error(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], bins: int = 15
) -> float:
    """The mean gap between confidence and accuracy over equal-width bins, weighted by size (Naeini, 2015).

    Args:
        confidence: Confidences in [0, 1], shape [texts].
        right: Whether each prediction is right, shape [texts].
        bins: The number of bins.
    """
    if not len(confidence):
        return 0.0
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = [
        abs(float(confidence[bin_of == index].mean()) - float(right[bin_of == index].mean()))
        * float((bin_of == index).mean())
        for index in np.unique(bin_of)
    ]
    return float(sum(gaps))


def pick_threshold(
    confidence: npt.NDArray[np.float64],
    right: npt.NDArray[np.bool_],
    precision: float,
    least: float,
) -> float:
    """The lowest threshold at which the predictions reach a precision.

    Args:
        confidence: Confidences in [0, 1], shape [texts].
        right: Whether each prediction is right, shape [texts].
        precision: The precision to reach.
        least: The lowest allowed threshold.

    Returns:
        The threshold: 1.0 if none reaches the precision, `least` if there are no texts.
    """
    if not len(confidence):
        return least
    order = np.argsort(-confidence, kind="stable")
    precisions = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    sufficient = np.flatnonzero(precisions >= precision)
    if not len(sufficient):
        return 1.0
    return round(max(least, float(confidence[order][sufficient[-1]])), 4)
