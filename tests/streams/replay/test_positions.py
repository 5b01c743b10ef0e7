"""Parsing of positions, and arithmetic of ranges."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.replay.positions import END, START, Position, parse_position
from streams.replay.ranges import OffsetRange, clamp
from streams.replay.replay_plan import remaining_ranges

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("start", START),
        ("earliest", START),
        ("end", END),
        ("latest", END),
        ("0", Position(offset=0)),
        (" 1200 ", Position(offset=1200)),
        ("1970-01-01", Position(time_ms=0)),
        ("1970-01-01T00:00:01.5Z", Position(time_ms=1500)),
        ("1970-01-01T01:00:00+01:00", Position(time_ms=0)),
        ("1969-01-01", Position(time_ms=0)),
    ],
)
def test_each_form_is_parsed(text: str, position: Position) -> None:
    assert parse_position(text, NOW) == position


@pytest.mark.parametrize(
    "text", ["", "yesterday", "-5", "-5y", "2025-13-01", "²", "1e3", "--", f"-{'9' * 400}d"]
)
def test_other_texts_are_no_position(text: str) -> None:
    assert parse_position(text, NOW) is None


@given(st.integers(0, 10**6), st.sampled_from("smhdw"))
def test_a_relative_time_is_that_long_ago(count: int, unit: str) -> None:
    seconds = count * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
    position = parse_position(f"-{count}{unit}", NOW)
    try:
        then = NOW - timedelta(seconds=seconds)
    except OverflowError:
        assert position is None
    else:
        assert position == Position(time_ms=max(0, int(then.timestamp()) * 1000))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_a_time_without_a_zone_is_utc_and_cut_to_milliseconds(time: datetime) -> None:
    expected = (time - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
    assert parse_position(time.isoformat(), NOW) == Position(time_ms=expected)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_position(text, NOW)


@given(*[st.integers(0, 30)] * 4)
def test_a_clamped_range_has_exactly_the_requested_offsets_that_exist(
    low: int, length: int, start: int, end: int
) -> None:
    cut = range(*clamp(low, low + length, start, end))
    assert set(cut) == set(range(start, end)) & set(range(low, low + length))
    assert low <= cut.start <= cut.stop <= low + length


@given(st.integers(0, 20), st.integers(0, 20), st.integers(-1001, 30))
def test_the_remaining_ranges_are_exactly_what_is_not_committed(
    start: int, length: int, committed: int
) -> None:
    (left,) = remaining_ranges([OffsetRange(3, start, start + length)], {3: committed})
    assert set(range(left.start, left.end)) == {o for o in range(start, start + length) if o >= committed}
