"""Making a confidence mean a precision: temperature, calibration error, and thresholds from held-out data."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.taxonomy import Taxonomy

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


def probabilities(logits: Floats, temperature: float) -> Floats:
    """The softmax of `logits / temperature`, shape [texts, categories]."""
    scaled: Floats = (logits - logits.max(axis=1, keepdims=True)) * np.float32(1.0 / temperature)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def subtree_sums(share: Floats) -> npt.NDArray[np.float64]:
    """Shape [texts, categories + 1]: running sums, so that a subtree's mass is one difference.

    The probability of category `i` and below is `sums[:, ends[i]] - sums[:, i]`.
    """
    sums = np.zeros((share.shape[0], share.shape[1] + 1))
    np.cumsum(share, axis=1, dtype=np.float64, out=sums[:, 1:])
    return sums


def fit_temperature(logits: Floats, labels: Indices, taxonomy: Taxonomy) -> float:
    """The temperature in 0.5 to 3 that makes the labels' subtrees likeliest (Guo et al., 2017).

    Args:
        logits: Shape [texts, categories], of texts that were not trained on.
        labels: Shape [texts]: category indices, coarse ones included.
        taxonomy: The tree.
    """
    ends = taxonomy.ends[labels]

    def loss(temperature: float) -> float:
        sums = subtree_sums(probabilities(logits, temperature))
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


def descend(
    sums: npt.NDArray[np.float64], taxonomy: Taxonomy, thresholds: Sequence[float]
) -> tuple[Indices, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Walk from the likeliest root to its likeliest child while the threshold of that level is reached.

    Args:
        sums: As from `subtree_sums`.
        taxonomy: The tree.
        thresholds: For level 1, 2, …; the last one holds for all deeper levels.

    Returns:
        For each text the category reached (the likeliest root where even that is not sure), its probability,
        and whether level 1 was sure.
    """
    texts = np.arange(len(sums))
    roots = taxonomy.roots
    mass = sums[:, taxonomy.ends[roots]] - sums[:, roots]
    best = mass.argmax(axis=1)
    chosen, confidence = roots[best], mass[texts, best]
    sure = confidence >= thresholds[0]
    going = texts[sure]
    for level in range(1, taxonomy.lineage.shape[1]):
        if not len(going):
            break
        children = taxonomy.children_table[chosen[going]]
        mass = sums[going[:, None], taxonomy.ends[children]] - sums[going[:, None], children]
        mass[children < 0] = -1.0
        best = mass.argmax(axis=1)
        inside = np.arange(len(going))
        goes = mass[inside, best] >= thresholds[min(level, len(thresholds) - 1)]
        going, best, inside = going[goes], best[goes], inside[goes]
        chosen[going], confidence[going] = children[inside, best], mass[inside, best]
    return chosen, np.clip(confidence, 0.0, 1.0), sure
