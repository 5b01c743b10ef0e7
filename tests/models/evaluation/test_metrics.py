"""Metrics against their definitions, slices, and typing errors."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.metrics import coverage_curve, interval, macro_f1, reliability
from models.evaluation.slices import is_long, is_mixed, is_short, mistyped
from models.evaluation.titles import LabeledTitle
from models.student.calibration import expected_calibration_error

CATEGORIES = st.integers(-1, 5)
PAIRS = st.lists(st.tuples(st.integers(0, 5), CATEGORIES), min_size=1, max_size=40)
PREDICTED = st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=60)


def title(text: str) -> LabeledTitle:
    return LabeledTitle(text, 0, "test", "test", "en")


def plain_f1(pairs: Sequence[tuple[int, int]]) -> float:
    """Macro F1 by its definition: the mean harmonic mean of precision and recall."""
    found = []
    for category in {label for label, _ in pairs}:
        hits = sum(label == guess == category for label, guess in pairs)
        claimed = sum(guess == category for _, guess in pairs)
        belongs = sum(label == category for label, _ in pairs)
        precision, recall = hits / claimed if claimed else 0.0, hits / belongs
        found.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    return sum(found) / len(found)


@given(PAIRS)
def test_macro_f1_is_the_plain_mean(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs).T
    f1, categories = macro_f1(labels, predicted)
    assert f1 == pytest.approx(plain_f1(pairs))
    assert categories == len({label for label, _ in pairs})


def test_without_texts_the_metrics_are_zero() -> None:
    nothing = np.array([], dtype=np.int64)
    assert macro_f1(nothing, nothing) == (0.0, 0)
    assert interval(0, 0) == (0.0, 1.0)
    assert coverage_curve(np.array([]), np.array([], dtype=np.bool_)) == []
    assert reliability(np.array([]), np.array([], dtype=np.bool_)) == []


@given(PREDICTED)
def test_the_bins_hold_all_texts_and_their_gaps_are_the_calibration_error(
    predictions: list[tuple[float, bool]],
) -> None:
    confidence, right = np.array([sure for sure, _ in predictions]), np.array([hit for _, hit in predictions])
    bins = reliability(confidence, right)
    assert sum(texts for texts, _, _ in bins) == len(predictions)
    gaps = sum(texts * abs(mean - accuracy) for texts, mean, accuracy in bins) / len(predictions)
    assert gaps == pytest.approx(expected_calibration_error(confidence, right))
    means = [mean for _, mean, _ in bins]
    assert means == sorted(means)


@given(PREDICTED, st.integers(2, 70))
def test_each_point_of_the_curve_matches_a_threshold(
    predictions: list[tuple[float, bool]], points: int
) -> None:
    confidence, right = np.array([sure for sure, _ in predictions]), np.array([hit for _, hit in predictions])
    curve = coverage_curve(confidence, right, points)
    possible = [
        (float(kept.mean()), float(right[kept].mean()))
        for kept in (confidence >= threshold for threshold in confidence)
    ]
    assert len(curve) <= points
    assert curve == sorted(curve, key=lambda point: point[0])
    for coverage, precision in curve:
        assert any(np.allclose((coverage, precision), point) for point in possible)
    assert np.allclose(curve[-1], (1.0, right.mean()))


@given(st.integers(0, 400), st.integers(1, 400))
def test_the_interval_holds_the_accuracy_and_narrows_with_more_texts(right: int, texts: int) -> None:
    right = min(right, texts)
    low, high = interval(right, texts)
    assert 0.0 <= low <= right / texts + 1e-12
    assert right / texts - 1e-12 <= high <= 1.0
    wider = interval(right, texts)[1] - interval(right, texts)[0]
    assert interval(100 * right, 100 * texts)[1] - interval(100 * right, 100 * texts)[0] < wider


def test_the_interval_is_wilson_s() -> None:
    """The observed accuracy is 1.96 standard errors away from the bounds."""
    low, high = interval(7, 20)
    for end in (low, high):
        assert abs(7 / 20 - end) == pytest.approx(1.96 * (end * (1 - end) / 20) ** 0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "short", "long", "mixed"),
    [
        ("green tea", True, False, False),
        ("a green tea bag", False, False, False),
        ("茉莉花茶", True, False, False),
        ("茉莉花茶叶罐装特级", False, False, False),
        ("word " * 15, False, True, False),
        ("茶" * 40, False, True, False),
        ("iPhone手机壳", True, False, True),
        ("洗发水500ml大瓶装", True, False, False),
        ("洗发水 500 mL 大瓶装家庭", False, False, True),
        ("", True, False, False),
    ],
)
def test_titles_fall_into_slices(text: str, short: bool, long: bool, mixed: bool) -> None:
    assert (is_short(title(text)), is_long(title(text)), is_mixed(title(text))) == (short, long, mixed)


def edits(before: str, after: str) -> bool:
    """Whether `after` is `before` with two neighboring letters swapped, or one left out or doubled."""
    swaps = {before[:i] + before[i + 1] + before[i] + before[i + 2 :] for i in range(len(before) - 1)}
    drops = {before[:i] + before[i + 1 :] for i in range(len(before))}
    doubles = {before[: i + 1] + before[i:] for i in range(len(before))}
    return after in swaps | drops | doubles


@given(st.lists(st.text(alphabet="abc XYZ茶,", max_size=30), max_size=5), st.integers(0, 100))
def test_a_typing_error_is_one_edit_in_a_word_and_the_seed_decides(texts: list[str], seed: int) -> None:
    titles = [title(text) for text in texts]
    pairs = mistyped(titles, seed)
    assert pairs == mistyped(titles, seed)
    for number, wrong in pairs:
        assert wrong.title != titles[number].title
        assert edits(titles[number].title, wrong.title)
    untouched = set(range(len(titles))) - {number for number, _ in pairs}
    for number in untouched:
        latin = "".join(letter if letter in "abcXYZ" else " " for letter in texts[number])
        assert max((len(word) for word in latin.split()), default=0) < 4
