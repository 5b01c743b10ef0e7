"""Probabilities, temperature, thresholds and the descent, against plain definitions."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import softmax
from models.student.calibration import expected_calibration_error, fit_temperature, pick_threshold
from models.taxonomy.decision import descend, subtree_sums, top
from models.taxonomy.tree import Taxonomy

PATHS = {
    1: ("A",),
    2: ("A", "B"),
    3: ("A", "B", "C"),
    4: ("A", "B", "D"),
    5: ("A", "E"),
    6: ("F",),
    7: ("F", "G"),
}
TREE = Taxonomy("test-1", PATHS, {})


def random_probabilities(
    rows: int, seed: int, columns: int = len(TREE), sharpness: float = 3.0
) -> npt.NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(0, sharpness, (rows, columns)).astype(np.float32)
    return softmax(logits, 1.0)


def walk(probabilities: npt.NDArray[np.float32], thresholds: list[float]) -> tuple[int, float, bool]:
    """The descent for one text by its definition."""
    mass = [float(probabilities[node.index : TREE.ends[node.index]].sum()) for node in TREE.nodes]
    at = max(TREE.roots.tolist(), key=lambda index: mass[index])
    if mass[at] < thresholds[0]:
        return at, mass[at], False
    while children := TREE.nodes[at].children:
        best = max(children, key=lambda index: mass[index])
        level = TREE.nodes[best].level
        if mass[best] < thresholds[min(level - 1, len(thresholds) - 1)]:
            break
        at = best
    return at, mass[at], True


@given(st.integers(0, 10_000), st.lists(st.floats(0.2, 0.95), min_size=1, max_size=4))
def test_descend_equals_the_plain_definition(seed: int, thresholds: list[float]) -> None:
    probabilities = random_probabilities(12, seed)
    chosen, confidence, sure = descend(probabilities, TREE, thresholds)
    for row in range(12):
        category, mass, is_sure = walk(probabilities[row], thresholds)
        assert (chosen[row], sure[row]) == (category, is_sure)
        assert confidence[row] == pytest.approx(mass, abs=1e-5)


def test_subtree_sums_are_sums_over_subtrees() -> None:
    probabilities = random_probabilities(3, 1)
    sums = subtree_sums(probabilities)
    for node in TREE.nodes:
        expected = probabilities[:, node.index : TREE.ends[node.index]].sum(axis=1)
        assert np.allclose(sums[:, TREE.ends[node.index]] - sums[:, node.index], expected, atol=1e-6)


@given(st.integers(0, 10_000), st.integers(5, 700), st.integers(5, 50))
def test_top_is_the_head_of_a_full_sort(seed: int, columns: int, blocks: int) -> None:
    probabilities = random_probabilities(4, seed, columns)
    found, values = top(probabilities, 5, blocks)
    assert np.array_equal(values, -np.sort(-probabilities, axis=1)[:, :5])
    assert np.array_equal(np.take_along_axis(probabilities, found, axis=1), values)


def test_temperature_corrects_overconfidence() -> None:
    """Logits three times too large need a temperature near three."""
    random = np.random.default_rng(7)
    logits = random.normal(0, 1.5, (6000, len(TREE))).astype(np.float32)
    probabilities = softmax(logits, 1.0)
    labels = np.array(
        [random.choice(len(TREE), p=row / row.sum()) for row in probabilities.astype(np.float64)]
    )
    assert fit_temperature(3 * logits, labels, TREE) == pytest.approx(3.0, rel=0.1)
    assert fit_temperature(logits, labels, TREE) == pytest.approx(1.0, rel=0.1)


def test_expected_calibration_error() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.1, 0.1])
    right = np.array([True, True, True, False, False, False])
    assert expected_calibration_error(confidence, right) == pytest.approx(4 / 6 * 0.2 + 2 / 6 * 0.1)
    assert expected_calibration_error(np.ones(3), np.ones(3, dtype=bool)) == 0.0
    assert expected_calibration_error(np.zeros(0), np.zeros(0, dtype=bool)) == 0.0


def test_thresholds_keep_the_precision() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    assert pick_threshold(confidence, np.array([True, True, False, False]), 0.9, 0.5) == 0.8
    assert pick_threshold(confidence, np.array([True, True, True, True]), 0.9, 0.75) == 0.75
    assert pick_threshold(confidence, np.zeros(4, dtype=bool), 0.9, 0.5) == 1.0
    assert pick_threshold(np.zeros(0), np.zeros(0, dtype=bool), 0.9, 0.5) == 0.5
