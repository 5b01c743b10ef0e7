"""Waits stay within their bounds, and a budget is never exceeded but by a debt that is waited for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backoff import Backoff, TokenBucket

seconds = st.floats(0.0, 100.0, allow_nan=False)


@given(st.floats(0.001, 10.0), st.floats(1.0, 100.0), st.integers(1, 200), st.integers())
def test_each_wait_lies_between_its_bounds(min_s: float, factor: float, failures: int, seed: int) -> None:
    """From the least to twice as much for each failure in a row, never above the most."""
    backoff = Backoff(min_s, min_s * factor, seed)
    for failure in range(failures):
        ceiling = min(min_s * factor, min_s * 2.0 ** min(failure, 1000))
        assert min_s <= backoff.next() <= max(min_s, ceiling) * (1 + 1e-9)


def test_waits_grow_until_the_most() -> None:
    """The means of many workers' waits double at first and then stay."""
    workers = [Backoff(1.0, 16.0, seed) for seed in range(300)]
    means = [sum(worker.next() for worker in workers) / len(workers) for _ in range(8)]
    assert means[0] == 1.0
    assert means[1:] == pytest.approx([1.5, 2.5, 4.5, 8.5, 8.5, 8.5, 8.5], rel=0.1)


def test_workers_that_failed_together_do_not_come_back_together() -> None:
    waits = set()
    for seed in range(20):
        backoff = Backoff(0.1, 30.0, seed)
        for _ in range(6):
            wait = backoff.next()
        waits.add(wait)
    assert len(waits) == 20


def test_success_begins_again_from_the_least() -> None:
    backoff = Backoff(1.0, 100.0, seed=1)
    for _ in range(5):
        backoff.next()
    backoff.reset()
    assert backoff.next() == 1.0


def test_a_failure_that_never_ends_overflows_nothing() -> None:
    backoff = Backoff(1.0, 30.0, seed=1)
    assert max(backoff.next() for _ in range(5_000)) <= 30.0


@given(
    st.floats(1.0, 50.0),
    st.floats(0.1, 20.0),
    st.lists(st.tuples(seconds, st.integers(1, 30)), max_size=30),
)
def test_no_more_is_spent_than_the_budget(size: float, rate: float, asked: list[tuple[float, int]]) -> None:
    """Whoever waits as told has, at every moment, had at most the size and what came in since."""
    start = now = 1_000.0
    bucket = TokenBucket(size, rate, start)
    spent = 0
    for pause, tokens in asked:
        now += pause
        now += bucket.spend(tokens, now)
        spent += tokens
        assert spent <= (size + rate * (now - start)) * (1 + 1e-6) + 1e-6
        assert bucket.left(now) >= -1e-6


@given(st.floats(1.0, 50.0), st.floats(0.1, 20.0), st.integers(1, 500))
def test_the_wait_is_no_longer_than_the_debt_takes(size: float, rate: float, tokens: int) -> None:
    """Within the size nothing is waited for; beyond it, exactly what the refill needs."""
    bucket = TokenBucket(size, rate, 0.0)
    wait = bucket.spend(tokens, 0.0)
    assert wait == pytest.approx(max(0.0, (tokens - size) / rate))
    assert bucket.left(wait) == pytest.approx(max(0.0, size - tokens), abs=1e-6)


def test_a_rest_fills_the_bucket_up_to_its_size_and_no_more() -> None:
    bucket = TokenBucket(10.0, 2.0, 0.0)
    bucket.spend(10, 0.0)
    assert bucket.left(3.0) == 6.0
    assert bucket.left(1e9) == 10.0
    assert bucket.spend(10, 1e9) == 0.0
    assert bucket.spend(2, 1e9) == 1.0
