"""The rate of a contestant: the start of the counted time."""

import pytest

from benchmarks.peer_process import ProgressCurve


def test_from_zero_time_starts_at_the_first_poll_with_progress() -> None:
    curve = ProgressCurve([(10.0, 100), (11.0, 300), (12.0, 500)], 12.5, idle_at=9.0)
    assert curve.rate() == pytest.approx(400 / 2.5)


def test_beyond_a_number_time_starts_at_the_last_poll_before_it() -> None:
    curve = ProgressCurve([(10.0, 100), (11.0, 300), (12.0, 500)], 12.5, idle_at=9.0)
    assert curve.rate(beyond=350) == pytest.approx(200 / 1.5)
    sparse = ProgressCurve([(12.0, 990), (12.4, 1_000)], 12.5, idle_at=9.0)
    assert sparse.rate(beyond=50) == pytest.approx(1_000 / 3.5), "rare polls do not lower the rate"


def test_too_little_progress_gives_no_rate() -> None:
    assert ProgressCurve([], 5.0).rate() == 0.0
    assert ProgressCurve([(1.0, 10)], 1.0).rate() == 0.0
    assert ProgressCurve([(1.0, 10)], 2.0, idle_at=0.5).rate(beyond=10) == 0.0
