"""A dead letter has the error in its headers, keeps the original record, and has a bounded size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import ADDED_BYTES, DESCRIPTIONS, LEFT_OUT, dead_letter_headers, truncate
from schemas.errors import InvalidEvent
from schemas.events import Source

SOURCE = Source(topic="user-behavior", partition=2, offset=77)


def _deep(depth: int) -> None:
    if depth == 0:
        raise KeyError("gone")
    _deep(depth - 1)


def test_the_headers_of_an_invalid_event() -> None:
    error = InvalidEvent("invalid-field", "quantity is text", "$.quantity")
    headers = dict(
        dead_letter_headers(
            error, source=SOURCE, stage="decode", attempt=1, group="shop", timestamp=1714564800000
        )
    )
    assert headers == {
        "__streams.errors.exception": b"schemas.errors.InvalidEvent",
        "__streams.errors.message": b"quantity is text",
        "__streams.errors.stacktrace": b"schemas.errors.InvalidEvent: invalid-field: quantity is text\n",
        "__streams.errors.topic": b"user-behavior",
        "__streams.errors.partition": b"2",
        "__streams.errors.offset": b"77",
        "shelfstream.reason": b"invalid-field",
        "shelfstream.field": b"$.quantity",
        "shelfstream.stage": b"decode",
        "shelfstream.attempt": b"1",
        "shelfstream.group": b"shop",
        "shelfstream.timestamp": b"1714564800000",
    }
    assert headers.keys() == DESCRIPTIONS.keys() - {LEFT_OUT}, (
        "every header is described, and every described one is there"
    )


def test_an_unexpected_error_has_a_stack_trace() -> None:
    with pytest.raises(KeyError) as raised:
        _deep(3)
    headers = dict(dead_letter_headers(raised.value, source=SOURCE, stage="enrich", attempt=5, group="shop"))
    assert headers["__streams.errors.exception"] == b"KeyError"
    assert headers["shelfstream.reason"] == b"failed"
    assert b"in _deep" in headers["__streams.errors.stacktrace"]


def test_original_headers_come_first_and_those_of_an_earlier_dead_letter_are_replaced() -> None:
    original: list[tuple[str, bytes | None]] = [("ce_id", b"x"), ("empty", None), ("ce_id", b"again")]
    error = InvalidEvent("malformed-json", "no")
    once = dead_letter_headers(error, source=SOURCE, stage="decode", attempt=1, group="g", original=original)
    assert list(once[:3]) == original
    twice = dead_letter_headers(error, source=SOURCE, stage="decode", attempt=2, group="g", original=once)
    assert list(twice[:3]) == original
    assert len(twice) == len(once)
    assert dict(twice)["shelfstream.attempt"] == b"2"


@given(st.text(max_size=5000), st.text(max_size=2000), st.integers(0, 200))
def test_the_size_of_added_headers_is_bounded_for_any_error(text: str, name: str, repeat: int) -> None:
    error = InvalidEvent(name, text * repeat, text)
    source = Source(topic=name, partition=0, offset=2**62)
    added = dead_letter_headers(error, source=source, stage=text, attempt=1, group=name)
    assert sum(len(key.encode()) + len(value) for key, value in added) <= ADDED_BYTES
    for _, value in added:
        value.decode()


def test_a_deep_stack_keeps_its_end() -> None:
    with pytest.raises(KeyError) as raised:
        _deep(200)
    error = RuntimeError("x" * 100_000)
    error.__cause__ = raised.value
    headers = dict(dead_letter_headers(error, source=SOURCE, stage="enrich", attempt=1, group="g"))
    assert headers["__streams.errors.stacktrace"].endswith(b"xxx\n")
    assert b"[... cut ...]" in headers["__streams.errors.stacktrace"]


@given(st.text(alphabet="aé茶\U0001f375\ud800", max_size=200), st.integers(0, 300))
def test_truncated_text_is_valid_utf_8_within_the_limit(text: str, limit: int) -> None:
    whole = text.encode("utf-8", "backslashreplace")
    short = truncate(text, limit)
    assert len(short) <= limit
    short.decode()
    assert (short == whole) == (len(whole) <= limit)
