"""Noise on counts: its distribution, its threshold, its loss of privacy, and that a retry repeats it."""

from collections.abc import Sequence
from itertools import accumulate, product
from math import erfc, exp, log, sqrt
from statistics import fmean, pstdev

import pytest

from models.behavior.neighbors import RankedNeighbor
from models.behavior.noised_counts import Contribution, NoisedCounts, PrivacyBudget
from models.behavior.parameters import BehaviorParameters
from schemas.events import Relation
from tests.support.behavior import behavior, brute_force_pairs

SECRET = b"0123456789abcdef0123456789abcdef"
DAY = 86_400.0
CONTRIBUTION = Contribution.of_sessions(5, BehaviorParameters())
STEEP = BehaviorParameters(damping_products=2.0, damping_step=1)


def neighbors(count: int, score: float) -> list[RankedNeighbor]:
    return [RankedNeighbor(f"n{number}", score, 1) for number in range(count)]


def counts(epsilon: float = 3.0, delta: float = 1e-6, secret: bytes = SECRET) -> NoisedCounts:
    return NoisedCounts(PrivacyBudget(epsilon, delta), CONTRIBUTION, secret, 28 * DAY)


def tail(value: float) -> float:
    """The probability that standard Gaussian noise exceeds a value."""
    return erfc(value / sqrt(2.0)) / 2.0


def squares_of(products: int, ties: Sequence[bool]) -> float:
    """Sum the squared weights of a session's pairs by their definition.

    Args:
        products: The number of products.
        ties: Whether each product but the first has the time of the one before it.
    """
    times = [0, *accumulate(not tie for tie in ties)]
    events = [behavior(f"p{number}", minute=time) for number, time in enumerate(times)]
    pairs = brute_force_pairs(events, STEEP)
    assert len(events) == products
    return sum(weight**2 for one, other, _, _, weight in pairs if one != other)


@pytest.mark.parametrize("products", [2, 5, 8])
def test_the_contribution_is_the_greatest_of_all_sessions_of_so_many_products(products: int) -> None:
    """By the definition of a pair's weight, over both rows and three relations."""
    greatest = max(squares_of(products, ties) for ties in product([False, True], repeat=products - 1))
    found = Contribution.of_sessions(products, STEEP)
    assert found.norm == pytest.approx(sqrt(3 * 2 * greatest))
    assert found.pairs == 3 * products * (products - 1)


@pytest.mark.parametrize("epsilon", [0.5, 3.0, 10.0])
def test_the_noise_has_the_stated_loss_of_privacy(epsilon: float) -> None:
    """By the exact formula of the Gaussian mechanism (B. Balle and Y.-X. Wang, ICML 2018)."""
    delta = 1e-6
    sigma, norm = counts(epsilon, delta).deviation, CONTRIBUTION.norm
    a, b = norm / (2 * sigma), epsilon * sigma / norm
    assert 0.0 < tail(b - a) - exp(epsilon) * tail(a + b) <= delta / 2


def test_a_pair_of_one_session_is_published_with_less_than_the_stated_probability() -> None:
    delta = 1e-6
    noise = counts(delta=delta)
    assert CONTRIBUTION.pairs * tail((noise.threshold - 1.0) / noise.deviation) == pytest.approx(delta / 2)


def test_the_noise_is_gaussian() -> None:
    noise, many, score = counts(), 20_000, 10_000.0
    found = noise.noised("p", Relation.BOUGHT, neighbors(many, score), 28 * DAY)
    drawn = [entry.score - score for entry in found]
    assert len(drawn) == many
    error = noise.deviation / sqrt(many)
    assert abs(fmean(drawn)) < 5 * error
    assert abs(pstdev(drawn) - noise.deviation) < 5 * error
    beyond = sum(abs(each) > 2 * noise.deviation for each in drawn) / many
    assert abs(beyond - 2 * tail(2.0)) < 5 * sqrt(2 * tail(2.0) / many)


def test_noise_is_repeated_in_a_period_and_independent_otherwise() -> None:
    noise = counts()
    row = neighbors(2_000, 10_000.0)
    end = noise.end_of_period(100 * DAY)
    assert end == 112 * DAY
    first = noise.noised("p", Relation.BOUGHT, row, end)
    assert first == counts().noised("p", Relation.BOUGHT, row, end)
    drawn = {entry.product_id: entry.score for entry in first}
    others = (
        noise.noised("q", Relation.BOUGHT, row, end),
        noise.noised("p", Relation.VIEWED, row, end),
        noise.noised("p", Relation.BOUGHT, row, end + 28 * DAY),
        counts(secret=b"another").noised("p", Relation.BOUGHT, row, end),
    )
    for other in others:
        product = fmean((drawn[each.product_id] - 10_000.0) * (each.score - 10_000.0) for each in other)
        assert abs(product) < 5 * noise.deviation**2 / sqrt(len(row))


def test_what_does_not_reach_the_threshold_is_left_out() -> None:
    noise = counts()
    row = [*neighbors(500, 1.0), RankedNeighbor("sure", 10 * noise.threshold, 900)]
    [published] = noise.noised("p", Relation.BOUGHT, row, 28 * DAY)
    assert published.product_id == "sure"
    assert published.support != 900, "the support would tell what the noise hides"


def test_the_loss_over_all_periods_is_bounded() -> None:
    budget, half_life = PrivacyBudget(3.0), 75 * DAY
    total = budget.over_all_periods(28 * DAY, half_life)
    decays = [2.0 ** (-28 * number / 75) for number in range(10_000)]
    rho = budget.rho * sum(decay**2 for decay in decays)
    assert total == pytest.approx(rho + 2 * sqrt(rho * log(2 / budget.delta)))
    assert 3.0 < total < 6.0
