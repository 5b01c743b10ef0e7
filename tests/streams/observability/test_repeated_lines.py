"""Lines that repeat: the first ones are written, the others are counted, and none is lost."""

import io
import logging
from collections import Counter

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from streams.observability.limited_handler import LimitedHandler
from streams.observability.logs import configure_logs, flush_repeated
from streams.observability.repeated_lines import RepeatedLines

BURST = 3

pytestmark = pytest.mark.usefixtures("logging_as_before")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30)), max_size=80))
def test_every_line_is_written_or_counted_once(steps: list[tuple[str, float]]) -> None:
    lines: RepeatedLines[str] = RepeatedLines(60.0)
    now, came, written, counted = 0.0, Counter[str](), Counter[str](), Counter[str]()
    since: dict[str, float] = {}
    for line, passed in steps:
        now += passed
        for each in lines.ended(now):
            counted[each.line] += each.count
            assert 60.0 <= each.seconds == now - since[each.line]
        since = {name: start for name, start in since.items() if now - start < 60.0}
        since.setdefault(line, now)
        came[line] += 1
        written[line] += lines.allows(line, BURST, now)
    for each in lines.close_all(now):
        counted[each.line] += each.count
    assert came == written + counted
    assert lines.close_all(now) == []


def test_a_window_allows_a_burst_and_the_next_one_begins_again() -> None:
    lines: RepeatedLines[str] = RepeatedLines(60.0)
    assert [lines.allows("a", BURST, float(second)) for second in range(5)] == [True] * 3 + [False] * 2
    assert lines.ended(59.9) == []
    (left_out,) = lines.ended(61.0)
    assert (left_out.line, left_out.count, left_out.seconds) == ("a", 2, 61.0)
    assert lines.allows("a", BURST, 61.0)


def test_more_kinds_than_can_be_counted_are_written() -> None:
    lines: RepeatedLines[int] = RepeatedLines(60.0, most_kinds=2)
    assert all(lines.allows(kind, 1, 0.0) for kind in range(5))
    assert not lines.allows(1, 1, 0.0)
    assert lines.allows(4, 1, 0.0)


def test_a_storm_of_a_library_is_written_as_a_few_lines_and_a_count() -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream)
    for node in range(1_237):
        logging.getLogger("aiokafka").error("Unable connect to node with id %s: %s", node, "refused")
    flush_repeated(everything=True)
    written = stream.getvalue().splitlines()
    assert len(written) == 4
    assert "Unable connect to node with id _: _ … repeated 1,234 times in 0 s" in written[-1]
    assert '"level":"error"' in written[-1]
    assert '"logger":"aiokafka"' in written[-1]


def test_lines_of_other_lanes_and_other_events_are_other_lines() -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream)
    log = structlog.get_logger("streams")
    for _ in range(50):
        log.warning("batch failed", lane="enrich-0")
    log.warning("batch failed", lane="enrich-1")
    log.error("batch failed", lane="enrich-0")
    assert len(stream.getvalue().splitlines()) == 22
    logging.getLogger().handlers[0].close()
    assert "batch failed (enrich-0) … repeated 30 times" in stream.getvalue()


def test_at_level_debug_every_line_is_written() -> None:
    stream = io.StringIO()
    configure_logs("json", "debug", stream=stream)
    for _ in range(100):
        structlog.get_logger("streams").debug("again")
    assert len(stream.getvalue().splitlines()) == 100
    assert not any(isinstance(each, LimitedHandler) for each in logging.getLogger().handlers)
