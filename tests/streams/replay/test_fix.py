"""A fix changes values by a mapping or a command, and sends only what fits its contract."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidEvent, StopWorker
from streams.records import MemoryRecord
from streams.replay.dead_letter_lines import EditedLine
from streams.replay.dead_letter_records import DeadLetter, parse_dead_letter
from streams.replay.fix import by_command, contract_error
from streams.replay.value_mapping import (
    CONVERSIONS,
    Step,
    Unmappable,
    ValueMapping,
    load_mapping,
    make_step,
    parse_mapping,
)
from streams.settings import Settings
from streams.wrapping.topics import TopicUnwrapper
from tests.support.dead_letters import dead_lettered

PLAIN = TopicUnwrapper(Settings())


def mapped(document: Any, *steps: Step, **options: str) -> Any:
    mapping = ValueMapping(tuple(steps), **options)
    _, value = mapping.apply(b"k", msgspec.json.encode(document))
    return msgspec.json.decode(value or b"")


def letters(*values: bytes, topic: str = "product-created", timestamp: int = 1_234) -> list[DeadLetter]:
    records = (MemoryRecord(topic, 0, at, timestamp, b"p", value) for at, value in enumerate(values))
    return [parse_dead_letter(dead_lettered(record, at=record.offset)) for record in records]


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        (make_step("rename", "/name", "/title"), {"name": "x"}, {"title": "x"}),
        (make_step("rename", "/name", "/title"), {"a": 1}, {"a": 1}),
        (make_step("rename", "/cost", "/price/amount"), {"cost": 1}, {"price": {"amount": 1}}),
        (make_step("default", "/title", ""), {"title": None}, {"title": ""}),
        (make_step("default", "/title", "t"), {"title": "x"}, {"title": "x"}),
        (
            make_step("set", "/price/currency", "EUR"),
            {"price": {"currency": "e"}},
            {"price": {"currency": "EUR"}},
        ),
        (make_step("remove", "/a/0"), {"a": [1, 2]}, {"a": [2]}),
        (make_step("remove", "/a~1b"), {"a/b": 1, "c": 2}, {"c": 2}),
        (make_step("convert", "/title", "string"), {"title": 7}, {"title": "7"}),
        (make_step("convert", "/n", "number"), {"n": " 1.5 "}, {"n": 1.5}),
        (make_step("convert", "/n", "integer"), {"n": 3.0}, {"n": 3}),
        (make_step("convert", "/n", "boolean"), {"n": "yes"}, {"n": True}),
        (make_step("convert", "/n", "upper"), {"n": " eur"}, {"n": "EUR"}),
        (make_step("convert", "/t", "time"), {"t": 1_700_000_000}, {"t": "2023-11-14T22:13:20Z"}),
        (make_step("convert", "/t", "time"), {"t": 1_700_000_000_000}, {"t": "2023-11-14T22:13:20Z"}),
        (make_step("convert", "/t", "time"), {"t": "2024-05-01 12:00+02:00"}, {"t": "2024-05-01T10:00:00Z"}),
    ],
)
def test_a_step_changes_its_field_only(step: Step, before: Any, after: Any) -> None:
    assert mapped(before, step) == after


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=4,
    ),
    st.sampled_from(CONVERSIONS),
)
def test_a_conversion_gives_its_type_or_says_why_not(value: Any, to: str) -> None:
    """It converts what it has converted to itself, and quotes no value in its message."""
    try:
        once = mapped({"f": value}, make_step("convert", "/f", to))["f"]
    except Unmappable as error:
        assert "cannot become" in str(error)
        return
    if value is None:
        assert once is None
        return
    kinds = {"integer": int, "number": int | float, "boolean": bool}
    assert isinstance(once, kinds.get(to, str))
    assert mapped({"f": once}, make_step("convert", "/f", to))["f"] == once


def test_a_number_that_json_cannot_hold_is_left_broken() -> None:
    with pytest.raises(Unmappable, match="cannot become number"):
        mapped({"f": "1e999"}, make_step("convert", "/f", "number"))


def test_values_in_another_encoding_and_keys_are_changed() -> None:
    mapping = ValueMapping((), "latin-1", "/product_id")
    assert mapping.apply(b"k", b'{"product_id":"p1","title":"Caf\xe9"}') == (
        b"p1",
        '{"product_id":"p1","title":"Café"}'.encode(),
    )
    with pytest.raises(Unmappable, match="no JSON"):
        ValueMapping().apply(b"k", b"{")
    with pytest.raises(Unmappable, match="null"):
        ValueMapping().apply(b"k", None)


@pytest.mark.parametrize(("name", "text"), [
    ("m.toml", '[[step]]\nrename = "/name"\nto = "/title"\n[[step]]\nremove = "/x"\n'),
    ("m.json", '{"step": [{"rename": "/name", "to": "/title"}, {"remove": "/x"}]}'),
])  # fmt: skip
def test_a_mapping_is_read_from_toml_and_json(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert load_mapping(tmp_path / name).steps == (Step("rename", "/name", "/title"), Step("remove", "/x"))


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {"steps": []},
        {"step": [{}]},
        {"step": [{"rename": "/a"}]},
        {"step": [{"rename": "a", "to": "/b"}]},
        {"step": [{"convert": "/a", "to": "date"}]},
        {"step": [{"set": "/a", "value": 1, "remove": "/a"}]},
        {"encoding": "klingon"},
    ],
)
def test_another_form_is_refused(fields: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_mapping(fields)


def test_a_command_changes_lines_and_may_leave_some_out() -> None:
    changed = by_command('grep -v skip | sed \'s/"name"/"title"/\'')(
        letters(b'{"name":"x"}', b'{"name":"skip"}')
    )
    assert changed == {(0, 0): EditedLine((0, 0), b"p", b'{"title":"x"}')}


@pytest.mark.parametrize(
    ("command", "why"),
    [("echo no >&2; exit 3", "exited with 3: no"), ("echo '{'", "not a line"), ("sed 's/0:0/0:9/'", "0:9")],
)
def test_a_command_that_fails_sends_nothing(command: str, why: str) -> None:
    with pytest.raises(StopWorker, match=why):
        by_command(command)(letters(b"{}"))


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        ("product-created", b'{"product_id":"p","title":"t"}', None),
        ("product-created", b'{"product_id":"q","title":"t"}', "key-mismatch"),
        ("user-behavior", b'{"user_id":"p","product_id":"x","action":"view","occurred_at":"2030-01-01T00Z"}',
         "invalid-time"),
        ("own-topic", b"anything", None),
    ],
)  # fmt: skip
def test_a_changed_record_is_checked_by_the_contract_of_its_topic(
    topic: str, value: bytes, reason: str | None
) -> None:
    """Times are compared with the arrival of the original record."""
    letter = letters(b"{", topic=topic, timestamp=1_700_000_000_000)[0]
    error: InvalidEvent | None = contract_error(letter, EditedLine((0, 0), b"p", value), PLAIN)
    assert (error and error.reason) == reason


def test_a_changed_change_event_is_checked_as_the_workers_read_it() -> None:
    unwrapper = TopicUnwrapper(Settings(product_values="debezium"))
    letter = letters(b"{")[0]
    for row, reason in (({"product_id": "p", "title": "t"}, None), ({"product_id": "p"}, "invalid-field")):
        value = msgspec.json.encode({"op": "c", "before": None, "after": row})
        error = contract_error(letter, EditedLine((0, 0), b"p", value), unwrapper)
        assert (error and error.reason) == reason


def test_a_mapping_says_that_it_cannot_change_avro() -> None:
    with pytest.raises(Unmappable, match="Confluent's wire format"):
        ValueMapping().apply(b"k", b"\x00\x00\x00\x00\x01\x02p")
