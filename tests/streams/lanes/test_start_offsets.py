"""Where a lane starts to read: nothing is skipped or repeated in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.lanes.start_offsets import InputReset, OnTopicRecreated, start_offset
from streams.records import InputLog, Partition, ReadPosition

AT = Partition("user-behavior", 2)
OFFSETS = st.integers(0, 1_000)
POSITIONS = st.one_of(st.none(), st.builds(ReadPosition, OFFSETS, st.sampled_from(["", "old", "now"])))
CHOICES = st.sampled_from(["stop", "earliest", "latest"])


@st.composite
def logs(draw: st.DrawFn) -> InputLog:
    first, end = sorted((draw(OFFSETS), draw(OFFSETS)))
    return InputLog(first, end, draw(st.sampled_from(["", "now"])))


def start(
    log: InputLog,
    committed: ReadPosition | None,
    in_state: ReadPosition | None = None,
    choice: OnTopicRecreated = "stop",
) -> tuple[int, int]:
    found = start_offset(AT, log, committed=committed, in_state=in_state, on_topic_recreated=choice)
    return found.offset, found.expired


def test_a_new_group_starts_at_the_first_offset() -> None:
    assert start(InputLog(5, 9), None) == (5, 0)


def test_the_later_of_group_and_state_counts() -> None:
    """Expired offsets of the group do not make a lane count everything again."""
    log = InputLog(0, 100, "now")
    assert start(log, None, ReadPosition(80, "now")) == (80, 0)
    assert start(log, ReadPosition(10, "now"), ReadPosition(80, "now")) == (80, 0)
    assert start(log, ReadPosition(90), ReadPosition(80, "now")) == (90, 0)


def test_offsets_that_expired_unread_are_counted() -> None:
    assert start(InputLog(40, 100), ReadPosition(25)) == (40, 15)


def test_a_recreated_topic_stops_the_lane_even_where_the_offset_is_in_it() -> None:
    log = InputLog(0, 500, "now")
    with pytest.raises(
        InputReset, match=r"user-behavior was deleted and created again: offset 400 .*ON_TOPIC_REC"
    ):
        start(log, ReadPosition(400, "old"))
    assert start(log, ReadPosition(400, "old"), choice="earliest") == (0, 0)
    assert start(log, ReadPosition(400, "old"), choice="latest") == (500, 0)


def test_an_offset_beyond_the_end_stops_the_lane() -> None:
    with pytest.raises(InputReset, match=r"user-behavior-2 ends at offset 30, before offset 31 .*truncated"):
        start(InputLog(0, 30, "now"), ReadPosition(31, "now"))


@given(logs(), POSITIONS, POSITIONS, CHOICES)
def test_no_start_skips_or_repeats_in_silence(
    log: InputLog, committed: ReadPosition | None, in_state: ReadPosition | None, choice: OnTopicRecreated
) -> None:
    """A lane starts at the last position, plus what is counted as expired; another log needs a choice."""
    positions = [each for each in (committed, in_state) if each is not None]
    last = max((each.offset for each in positions), default=None)
    another = any(each.topic_id == "old" for each in positions) and log.topic_id == "now"
    lost_end = last is not None and last > log.end
    try:
        found = start_offset(AT, log, committed=committed, in_state=in_state, on_topic_recreated=choice)
    except InputReset:
        assert choice == "stop"
        assert another or lost_end
        return
    assert log.first <= found.offset <= log.end
    if last is None:
        assert found.offset == log.first
    elif another or lost_end:
        assert choice != "stop"
    else:
        assert found.offset == last + found.expired
