"""Dead letters as JSON lines lose nothing, and read back what somebody changed."""

import base64

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidEvent, StopWorker
from streams.records import MemoryRecord
from streams.replay.dead_letter_lines import export_line, read_line
from streams.replay.dead_letter_records import DeadLetter, parse_dead_letter
from streams.replay.dead_letter_remedies import Remedy, advice_for, remedy_of
from tests.support.dead_letters import dead_lettered


def letter_of(
    value: bytes | None,
    key: bytes | None = b"k",
    error: Exception | None = None,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> DeadLetter:
    record = MemoryRecord("product-created", 1, 7, 1_234, key, value, headers)
    error = error or InvalidEvent("malformed-json", "the value is not JSON", "$.title")
    return parse_dead_letter(dead_lettered(record, error, at=12))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.none() | st.binary() | st.text().map(str.encode), st.none() | st.binary())
def test_a_line_reads_back_as_the_same_key_and_value(value: bytes | None, key: bytes | None) -> None:
    line = export_line(letter_of(value, key))
    assert b"\n" not in line
    read = read_line(line)
    assert (read.place, read.key) == ((1, 12), key)
    if value is not None and b"\n" not in value and b"\r" not in value:
        assert read.value == value


@given(json_values, st.booleans())
def test_a_json_value_is_embedded_exactly(document: object, pretty: bool) -> None:
    """Line breaks between tokens go; every token stays."""
    value = msgspec.json.encode(document)
    if pretty:
        value = msgspec.json.format(value, indent=2)
    read = read_line(export_line(letter_of(value))).value
    assert read is not None
    assert msgspec.json.decode(read) == document
    if b"\n" not in value:
        assert read == value


def test_each_form_of_a_value_has_its_field() -> None:
    forms: list[tuple[bytes | None, str, object]] = [
        (b'{"a": 1.10}', "value", {"a": 1.1}),
        (b"null", "value", None),
        (b"{", "value_text", "{"),
        (b"\xff\x00", "value_base64", base64.b64encode(b"\xff\x00").decode()),
        (None, "tombstone", True),
    ]
    for value, field, expected in forms:
        fields = orjson.loads(export_line(letter_of(value)))
        assert fields[field] == expected
        assert len({"value", "value_text", "value_base64", "tombstone"} & fields.keys()) == 1
    assert b'{"a": 1.10}' in export_line(letter_of(b'{"a": 1.10}'))


def test_a_line_has_reason_source_and_headers() -> None:
    line = export_line(letter_of(b"{", headers=(("a", b"1"), ("b", b"\xff"))))
    fields = orjson.loads(line)
    assert (fields["reason"], fields["field"], fields["helps"]) == ("malformed-json", "$.title", "fix")
    assert fields["source"]["offset"] == 7
    assert fields["headers"] == [{"name": "a", "value": "1"}, {"name": "b", "base64": "/w=="}]


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"place":"x","value":1}', b'{"place":"0:1"}'])
def test_other_lines_are_refused_with_the_form(line: bytes) -> None:
    with pytest.raises(StopWorker, match="not a line of"):
        read_line(line)


@pytest.mark.parametrize(
    ("error", "remedy", "words"),
    [
        (InvalidEvent("invalid-field", "x"), Remedy.FIX, "dead-letters fix"),
        (InvalidEvent("null-value", "x"), Remedy.DISCARD, "discard"),
        (InvalidEvent("unknown-version", "x"), Remedy.REDRIVE, "upgrade"),
        (ValueError("out of memory"), Remedy.REDRIVE, "redrive"),
    ],
)
def test_a_redrive_is_advised_only_where_it_can_help(error: Exception, remedy: Remedy, words: str) -> None:
    letter = letter_of(b"{}", error=error)
    assert remedy_of(letter) is remedy
    assert words in advice_for(letter)
    assert (remedy is Remedy.FIX) == ("would come back from a redrive" in advice_for(letter))
