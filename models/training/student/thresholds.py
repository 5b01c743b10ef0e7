"""Thresholds that reach a target precision, with a bound that the calibration titles can support."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.student.artifact import ThresholdChoice
from models.training.student.evaluation import Path, StudentPredictions

CONFIDENCE = 0.95
"""Confidence of the lower bound of the precision."""
DEFAULT_TARGETS = (0.95, 0.9, 0.85, 0.8)
"""Targets that are tried, in this order, until level 1 reaches one."""
_FEW = 5
"""Thresholds above fewer titles are not considered."""


def choose_bounded_thresholds(
    predictions: StudentPredictions, target: float | None
) -> tuple[float, list[ThresholdChoice]]:
    """Choose thresholds such that the precision of what is published is surely the target.

    Args:
        predictions: Predictions for calibration titles.
        target: Precision to reach, in (0, 1); None is the first of `DEFAULT_TARGETS` that level 1 reaches.

    Returns:
        The target, and the choice for each level.
    """
    paths = [predictions.path(level) for level in range(1, predictions.taxonomy.lineage.shape[1] + 1)]
    targets: Sequence[float] = DEFAULT_TARGETS if target is None else (target,)
    for tried in targets:
        choices = _choose_from_below(paths, tried)
        if choices[0].reached:
            break
    return tried, choices


def _choose_from_below(paths: Sequence[Path], target: float) -> list[ThresholdChoice]:
    """Choose the deepest level first: a title that passes a level is right if the decision below it is."""
    choices: list[ThresholdChoice] = []
    decided = np.zeros(len(paths[0].right), dtype=np.bool_)
    passed = np.zeros(len(paths[0].right), dtype=np.bool_)
    for level, path in reversed([*enumerate(paths, 1)]):
        decided = np.where(passed, decided, path.right)
        choice = choose_threshold(level, path.confidence[path.deep], decided[path.deep], target)
        passed = path.deep & (path.confidence >= choice.threshold) & choice.reached
        choices.insert(0, choice)
    return choices


def choose_threshold(
    level: int, confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], target: float
) -> ThresholdChoice:
    """Choose the lowest threshold at which the precision's lower bound reaches the target.

    Args:
        level: Level of the taxonomy, from 1.
        confidence: Confidences of titles in [0, 1], shape [titles].
        right: Whether each decision is right, shape [titles].
        target: Precision to reach.

    Returns:
        The choice. If no threshold reaches the target it has threshold 1.0, and the figures of the threshold
        with the greatest bound.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    counts = np.arange(1, len(order) + 1)
    hits = np.cumsum(right[order], dtype=np.int64)
    bounds = lower_bounds(hits, counts)
    # Titles of equal confidence are published together.
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True)) if len(order) else order
    ends = ends[counts[ends] >= _FEW]
    sufficient = ends[bounds[ends] >= target]
    if not len(ends):
        return ThresholdChoice(level=level, threshold=1.0, titles=len(order), reached=False)
    last = int(sufficient[-1]) if len(sufficient) else int(ends[np.argmax(bounds[ends])])
    return ThresholdChoice(
        level=level,
        # Rounded down, so that the last title is above it.
        threshold=float(np.floor(ranked[last] * 1e4) / 1e4) if len(sufficient) else 1.0,
        titles=len(order),
        published=round(float(counts[last] / len(order)), 4),
        precision=round(float(hits[last] / counts[last]), 4),
        bound=round(float(bounds[last]), 4),
        reached=bool(len(sufficient)),
    )


def lower_bounds(hits: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The exact one-sided lower bound of a proportion with `CONFIDENCE` (Clopper and Pearson, 1934).

    Args:
        hits: Right ones, shape [any].
        counts: How many there are, at least 1, shape [any].
    """
    from scipy.stats import beta

    bounds = beta.ppf(1.0 - CONFIDENCE, hits, counts - hits + 1)
    return np.where(hits > 0, bounds, 0.0)


def least_titles(target: float) -> int:
    """The least number of titles that can show a precision, if all of them are right."""
    return int(np.ceil(np.log(1.0 - CONFIDENCE) / np.log(target)))
