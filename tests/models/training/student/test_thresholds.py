"""Thresholds with a bound: against the binomial distribution and a search over all thresholds."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from models.student.artifact import Manifest, ThresholdChoice
from models.training.student.evaluation import Path
from models.training.student.threshold_table import threshold_section, unreached
from models.training.student.thresholds import (
    CONFIDENCE,
    _choose_from_below,
    choose_threshold,
    least_titles,
    lower_bounds,
)


@given(st.integers(1, 200), st.data())
def test_the_bound_is_the_precision_that_would_rarely_look_this_good(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    (bound,) = lower_bounds(np.array([hits]), np.array([count]))
    if hits:
        assert binom.sf(hits - 1, count, bound) == pytest.approx(1.0 - CONFIDENCE, abs=1e-6)
    else:
        assert bound == 0.0


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.8, 0.9, 0.99]), st.booleans()), max_size=80))
def test_the_threshold_is_the_lowest_one_that_surely_reaches_the_target(
    titles: list[tuple[float, bool]],
) -> None:
    confidence = np.array([value for value, _ in titles], dtype=np.float64)
    right = np.array([hit for _, hit in titles], dtype=np.bool_)
    chosen = choose_threshold(1, confidence, right, 0.7)
    reaching = []
    for threshold in {*confidence.tolist()}:
        hits = right[confidence >= threshold]
        if len(hits) >= 5 and lower_bounds(np.array([hits.sum()]), np.array([len(hits)]))[0] >= 0.7:
            reaching.append(threshold)
    assert chosen.reached == bool(reaching)
    assert chosen.threshold == (min(reaching) if reaching else 1.0)
    assert chosen.titles == len(titles)
    if reaching:
        assert chosen.precision == pytest.approx(right[confidence >= min(reaching)].mean(), abs=1e-4)


def test_a_threshold_is_not_above_the_last_title_that_reaches_it() -> None:
    confidence = np.full(100, 0.98765432)
    chosen = choose_threshold(2, confidence, np.ones(100, dtype=np.bool_), 0.95)
    assert chosen.threshold <= 0.98765432
    assert (chosen.level, chosen.published, chosen.precision) == (2, 1.0, 1.0)


def test_the_least_number_of_titles_can_show_the_target_and_one_less_cannot() -> None:
    least = least_titles(0.95)
    for count, expected in ((least, True), (least - 1, False)):
        chosen = choose_threshold(1, np.full(count, 0.9), np.ones(count, dtype=np.bool_), 0.95)
        assert chosen.reached is expected


def test_what_is_published_at_any_depth_reaches_the_target() -> None:
    """Titles that stop at level 1 are worse than those that go on, which must not make up for them unseen."""
    random = np.random.default_rng(5)
    first = random.uniform(0.0, 1.0, 3000)
    second = first * random.uniform(0.3, 1.0, 3000)
    everywhere = np.ones(3000, dtype=np.bool_)
    top, deep = random.random(3000) < first, random.random(3000) < second
    paths = [Path(first, top, everywhere), Path(second, top & deep, everywhere)]
    choices = _choose_from_below(paths, 0.9)
    passes = first >= choices[0].threshold
    stops = ~(choices[1].reached & (second >= choices[1].threshold))
    right = np.where(stops, top, top & deep)[passes]
    assert choices[0].reached
    assert lower_bounds(np.array([right.sum()]), np.array([len(right)]))[0] >= 0.9


def manifest(choices: list[ThresholdChoice]) -> Manifest:
    blank = {"model_version": "", "taxonomy_version": "", "labels": [], "inputs": {}, "outputs": {}}
    numbers = {"format": 2, "shrinkage": 8.0, "temperature": 1.0, "brand_precision": 0.0}
    lists = {"tensors": [], "training_data": [], "measurements": [], "thresholds": [1.0], "files": {}}
    fields = blank | numbers | lists | {"command": "", "target_precision": 0.95, "threshold_choices": choices}
    return msgspec.convert(fields, Manifest)


def test_the_card_says_why_a_level_publishes_nothing() -> None:
    unsure = ThresholdChoice(
        level=1, threshold=1.0, titles=900, reached=False, published=0.4, precision=0.93, bound=0.91
    )
    few = ThresholdChoice(level=2, threshold=1.0, titles=20, reached=False)
    sure = ThresholdChoice(
        level=3, threshold=0.8, titles=900, reached=True, published=0.5, precision=0.97, bound=0.96
    )
    first, second = unreached(manifest([unsure, few, sure]))
    assert "Level 1 publishes nothing: no threshold surely reaches 95.0%." in first
    assert "The 40.0% of titles that the model is surest of are right in 93.0%, surely 91.0%" in first
    assert "20 calibration titles are too few; 59 would do" in second
    section = threshold_section(manifest([unsure, few, sure]))
    assert first in section
    assert "| 1 | 900 | 1.0000 | 0.0% | 93.0% | 91.0% |" in section
    assert "| 3 | 900 | 0.8000 | 50.0% | 97.0% | 96.0% |" in section
