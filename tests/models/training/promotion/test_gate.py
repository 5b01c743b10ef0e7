"""The gate: its bootstrap against brute force, and which candidates pass."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Booleans
from models.training.promotion.gate import (
    GateConfig,
    GateDecision,
    Paired,
    SliceResult,
    bootstrap_means,
    decide,
)

QUICK = GateConfig(resamples=2_000)
SCORES = st.lists(st.sampled_from([0.0, 1 / 3, 0.5, 1.0]), min_size=1, max_size=40)


def everything(texts: int) -> dict[str, Booleans]:
    return {"all": np.ones(texts, dtype=bool)}


def decision_on(
    serving: list[float], candidate: list[float], config: GateConfig = QUICK, **slices: Booleans
) -> GateDecision:
    paired = Paired(np.array(serving), np.array(candidate))
    return decide({"right": paired}, slices or everything(len(serving)), everything(len(serving)), config)


def result_on(decision: GateDecision, name: str) -> SliceResult:
    return next(each.result for each in decision.comparisons if each.slice == name)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 1.0]), min_size=1, max_size=4))
def test_the_bootstrap_draws_as_often_as_all_resamples_that_there_are(values: list[float]) -> None:
    draws = 20_000
    size = len(values)
    exact = Counter(round(sum(each) / size, 6) for each in product(values, repeat=size))
    drawn = Counter(np.round(bootstrap_means(np.array(values), draws, np.random.default_rng(1)), 6).tolist())
    assert drawn.keys() <= exact.keys()
    for mean, count in exact.items():
        assert drawn[mean] / draws == pytest.approx(count / size**size, abs=0.02)


def test_the_bounds_are_those_of_plain_resampling() -> None:
    random = np.random.default_rng(3)
    serving = random.choice([0.0, 1.0], 500, p=[0.3, 0.7])
    candidate = random.choice([0.0, 1.0], 500, p=[0.25, 0.75])
    found = decision_on(serving.tolist(), candidate.tolist(), GateConfig()).comparisons[0]
    difference = candidate - serving
    plain = [difference[random.integers(0, 500, 500)].mean() for _ in range(10_000)]
    assert [found.lower, found.upper] == pytest.approx(np.quantile(plain, [0.05, 0.95]), abs=0.004)
    assert found.candidate - found.serving == pytest.approx(difference.mean())


@given(SCORES)
def test_an_equal_model_is_not_promoted_because_it_is_not_better(scores: list[float]) -> None:
    held = decision_on(scores, scores)
    assert not held.promote
    assert held.reasons == ["right overall: not shown to be better (+0.00%, at worst +0.00%)"]


def test_a_better_model_is_promoted() -> None:
    found = decision_on([0.0] * 60 + [1.0] * 440, [1.0] * 500)
    assert (found.promote, found.reasons) == (True, [])
    assert {each.result for each in found.comparisons} == {SliceResult.BETTER}


@pytest.mark.parametrize("texts", [40, 400], ids=["few", "many"])
def test_a_worse_slice_blocks_a_model_that_is_better_overall(texts: int) -> None:
    serving = [0.0] * 900 + [1.0] * texts
    candidate = [1.0] * 900 + [1.0, 0.0] * (texts // 2)
    rare = np.arange(len(serving)) >= 900
    found = decision_on(serving, candidate, rare=rare, common=~rare)
    assert result_on(found, "overall") is SliceResult.BETTER
    assert result_on(found, "common") is SliceResult.BETTER
    assert result_on(found, "rare") is SliceResult.WORSE
    assert not found.promote
    assert [reason.partition(":")[0] for reason in found.reasons] == ["right on rare"]


def test_a_second_metric_protects_and_needs_not_be_better() -> None:
    better = Paired(np.zeros(300), np.ones(300))
    for harm, promoted in ((0, True), (30, False)):
        harmless = Paired(np.ones(300), np.r_[np.zeros(harm), np.ones(300 - harm)])
        found = decide({"right": better, "harmless": harmless}, everything(300), everything(300), QUICK)
        assert found.promote is promoted


@pytest.mark.parametrize(
    ("texts", "flips", "tolerance", "expected"),
    [
        (5_000, 10, 0.01, SliceResult.NOT_WORSE),
        (5_000, 10, 0.0001, SliceResult.UNCLEAR),
        (300, 10, 0.01, SliceResult.UNCLEAR),
        (100, 10, 0.01, SliceResult.TOO_FEW),
    ],
)
def test_equal_gains_and_losses_are_not_worse_only_with_enough_texts(
    texts: int, flips: int, tolerance: float, expected: SliceResult
) -> None:
    serving = [1.0] * flips + [0.0] * flips + [1.0] * (texts - 2 * flips)
    candidate = [0.0] * flips + [1.0] * (texts - flips)
    found = decision_on(serving, candidate, GateConfig(tolerance=tolerance))
    assert result_on(found, "all") is expected
    assert result_on(found, "overall").blocks is expected.blocks
    assert not found.promote


def test_shops_have_equal_weight_whatever_their_number_of_titles() -> None:
    serving, candidate = np.ones(1010), np.ones(1010)
    serving[:10] = 0.0
    large = np.arange(1010) >= 10
    shops = {"small": ~large, "large": large, "absent": np.zeros(1010, dtype=bool)}
    found = decide({"right": Paired(serving, candidate)}, shops, shops, QUICK)
    overall = found.comparisons[0]
    assert (overall.serving, overall.candidate, overall.texts) == (0.5, 1.0, 1010)
    assert {each.slice for each in found.comparisons} == {"overall", "small", "large"}


def test_the_decision_is_reproducible_and_slices_are_independent() -> None:
    random = np.random.default_rng(5)
    serving, candidate = (random.integers(0, 2, 300).astype(float).tolist() for _ in range(2))
    first, rest = np.arange(300) < 150, np.arange(300) >= 150
    alone = decision_on(serving, candidate, first=first)
    assert alone == decision_on(serving, candidate, first=first)
    both = decision_on(serving, candidate, rest=rest, first=first)
    assert [each for each in both.comparisons if each.slice != "rest"] == alone.comparisons
    assert alone != decision_on(serving, candidate, GateConfig(resamples=2_000, seed=1), first=first)


def test_about_one_in_twenty_equal_models_passes() -> None:
    """The bound is one-sided with 95% confidence. Slices, which only hold back more, are left out."""
    random = np.random.default_rng(7)
    passed = 0
    for _ in range(400):
        differences = random.choice([-1.0, 0.0, 1.0], 400, p=[0.1, 0.8, 0.1])
        passed += decision_on([0.0] * 400, differences.tolist(), none=np.zeros(400, dtype=bool)).promote
    assert 0.02 < passed / 400 < 0.09
