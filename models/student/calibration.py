"""Making a confidence mean a precision: temperature, calibration error, and thresholds from held-out data."""

import numpy as np
import numpy.typing as npt

from models.arrays import Floats, Indices, softmax
from models.taxonomy.decision import subtree_sums
from models.taxonomy.tree import Taxonomy


def fit_temperature(logits: Floats, labels: Indices, taxonomy: Taxonomy) -> float:
    """The temperature in 0.5 to 3 that makes the labels' subtrees likeliest (Guo et al., 2017).

    Args:
        logits: Shape [texts, categories], of texts that were not trained on.
        labels: Shape [texts]: category indices, coarse ones included.
        taxonomy: The tree.
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
    """The mean gap between confidence and accuracy over equal-width bins, weighted by size (Naeini, 2015)."""
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
    """The lowest threshold, at least `least`, above which the share right is at least `precision`.

    1.0 if there is none; `least` if there is nothing to judge by.
    """
    if not len(confidence):
        return least
    order = np.argsort(-confidence, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(shares >= precision)
    if not len(good):
        return 1.0
    return round(max(least, float(confidence[order][good[-1]])), 4)
