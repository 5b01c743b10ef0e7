"""Batches are as large as their time allows."""

import math

from hypothesis import given
from hypothesis import strategies as st

from streams.lanes.batch_pace import BatchPace


def run(pace: BatchPace, record_s: float, batches: int, overhead_s: float = 0.0) -> list[float]:
    """Process full batches, and return the seconds of each."""
    times = []
    for _ in range(batches):
        records = pace.records
        times.append(overhead_s + records * record_s)
        pace.observe(records, times[-1])
    return times


@given(st.floats(1e-6, 10.0), st.floats(0.0, 1.0))
def test_batches_come_to_stay_within_their_time(record_s: float, overhead_s: float) -> None:
    """Where one record takes longer, a batch is one record."""
    pace = BatchPace(4_000, 4.0)
    last = run(pace, record_s, 40, overhead_s)[-1]
    assert last <= max(4.0 * 1.01, record_s + overhead_s)
    assert 1 <= pace.records <= 4_000


@given(st.floats(1e-6, 1.0))
def test_batches_use_their_time(record_s: float) -> None:
    pace = BatchPace(4_000, 4.0)
    run(pace, record_s, 40)
    assert pace.records >= min(4_000, int(4.0 / record_s)) * 0.99 - 1


def test_the_first_batch_is_small_and_no_batch_is_four_times_the_largest_before() -> None:
    pace = BatchPace(100_000, 4.0)
    sizes = []
    for _ in range(4):
        sizes.append(pace.records)
        pace.observe(sizes[-1], 0.001)
    assert sizes == [256, 1_024, 4_096, 16_384]


def test_a_model_that_slows_down_gets_small_batches_at_once_and_large_ones_again_later() -> None:
    pace = BatchPace(4_000, 4.0)
    run(pace, 0.0001, 5)
    assert pace.records == 4_000
    assert run(pace, 0.1, 2) == [400.0, 4.0]
    run(pace, 0.0001, 10)
    assert pace.records == 4_000


def test_without_a_limit_batches_have_their_full_size() -> None:
    assert BatchPace(4_000, math.inf).records == 4_000
