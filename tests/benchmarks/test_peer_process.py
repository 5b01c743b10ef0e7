"""Rates: from which look on a contestant's time is counted."""

import pytest

from benchmarks.peer_process import Course


def test_from_nothing_the_first_look_that_found_something_is_the_start() -> None:
    course = Course([(10.0, 100), (11.0, 300), (12.0, 500)], 12.5, idle_at=9.0)
    assert course.rate() == pytest.approx(400 / 2.5)


def test_from_a_mark_the_last_look_before_it_is_the_start() -> None:
    course = Course([(10.0, 100), (11.0, 300), (12.0, 500)], 12.5, idle_at=9.0)
    assert course.rate(beyond=350) == pytest.approx(200 / 1.5)
    sparse = Course([(12.0, 990), (12.4, 1_000)], 12.5, idle_at=9.0)
    assert sparse.rate(beyond=50) == pytest.approx(1_000 / 3.5), "few looks are no slow contestant"


def test_who_did_too_little_has_no_rate() -> None:
    assert Course([], 5.0).rate() == 0.0
    assert Course([(1.0, 10)], 1.0).rate() == 0.0
    assert Course([(1.0, 10)], 2.0, idle_at=0.5).rate(beyond=10) == 0.0
