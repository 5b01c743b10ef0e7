"""JSON Schema and codec agree: a value fits the schema if and only if the codec leaves nothing out of it.

Two exceptions: no schema says which days a month has, or whether a GTIN's check digit is right.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schemas import contracts
from schemas.codec import DECODERS, decode_behavior, decode_feedback, decode_listing, encode
from schemas.errors import InvalidEvent
from schemas.events import CategoryFeedback, Event, ProductCreated, UserBehavior
from schemas.examples import EXAMPLES
from schemas.tolerant_reader import Ignored

READERS: dict[type[Event], Callable[[bytes], tuple[Event, Ignored]]] = {
    ProductCreated: decode_listing,
    UserBehavior: decode_behavior,
    CategoryFeedback: decode_feedback,
}
BEYOND_SCHEMAS = ("there is no such time", "times from 2000", "years 1 to 9999", "the check digit")
"""Parts of the problems that no schema can state."""
OUTPUTS = [each for each in EXAMPLES if type(each) not in READERS]
# No schema says what a `format` is, and outputs have times in one form.
OUTPUT_TIMES = ("occurred_at", "as_of", "session", "listed_at")


def _search(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    """Check a pattern as ECMA-262 does: `$` is the end of the text, not also a newline before it."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield jsonschema.ValidationError("does not match")


_Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _search})
SCHEMAS = {event: contracts.json_schema(event) for event in (type(each) for each in EXAMPLES)}
VALIDATORS = {event: _Validator(schema) for event, schema in SCHEMAS.items()}


def values_of(schema: Any, document: Any) -> st.SearchStrategy[Any]:
    """Make values that fit a schema, but for its rules between fields."""
    if "$ref" in schema:
        return values_of(document["$defs"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        return st.one_of(*(values_of(each, document) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kind = schema["type"]
    if kind == "string":
        return _texts(schema)
    if kind in ("integer", "number"):
        return _numbers(schema, kind)
    if kind == "array":
        return st.lists(values_of(schema["items"], document), max_size=3)
    if kind == "object" and "properties" in schema:
        return objects(schema, document)
    if kind == "object":
        return st.dictionaries(
            st.text(max_size=5), values_of(schema["additionalProperties"], document), max_size=3
        )
    return st.none() if kind == "null" else st.booleans()


def _texts(schema: Any) -> st.SearchStrategy[str]:
    if "pattern" not in schema:
        return st.text(max_size=12)
    texts = st.from_regex(schema["pattern"].replace("$", r"\Z"))
    return texts.filter(lambda text: len(text) <= schema.get("maxLength", 300))


def _numbers(schema: Any, kind: str) -> st.SearchStrategy[Any]:
    low = schema.get("minimum", -1000)
    high = schema.get("maximum", schema.get("exclusiveMaximum", 1001) - 1)
    integers = st.integers(-int(-low // 1), int(high))
    floats = integers.map(float) if kind == "integer" else st.floats(low, high)
    return integers | floats


def objects(schema: Any, document: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Make objects with the required fields and any of the others."""
    fields = {name: values_of(each, document) for name, each in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


WILD = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.integers(0, 3 * 10**16)
    | st.floats(-2, 2e9)
    | st.sampled_from(
        ["", " ", "x", "a\x00", "a\n", "withdrawn", "correct", "accept", "view", "GB", "eur", 2**80]
    )
    | st.sampled_from(
        ["19.99", "19.99 EUR", "EUR19", "1,99 EUR", "$5", "$ 5 USD", "19.99 XYZ", "4006381333931"]
    )
    | st.sampled_from(
        ["in stock", "InStock", "instock ", "https://schema.org/SoldOut", "sold", "en", "de_AT", "?"]
    )
    | st.sampled_from(
        ["2024-05-01", "2024-05-01 12:00:00 UTC", "20240501T1200Z", "2024-W18-3T12", "1714564800"]
    )
    | st.sampled_from(
        [" 1714564800123\n", "2024-05-01T12:00:00 +0200", "2024-05-01T24:00:00Z", "2024-05-01T12:00Z\n"]
    )
    | st.lists(st.text(max_size=3) | st.none() | st.integers(0, 3), max_size=2)
    | st.dictionaries(
        st.sampled_from(["amount", "currency", "x"]), st.sampled_from([1, "1.50", "EUR", "?", None, -1, []])
    )
)
"""Values that may fit one field or another."""


def _disagreement(event: type[Event], fields: dict[str, Any]) -> str:
    """Return how the codec disagrees with the schema; empty if it does not."""
    valid = VALIDATORS[event].is_valid(fields)
    try:
        _, ignored = READERS[event](json.dumps(fields).encode())
        problems = [f"{each.field}: {each.problem}" for each in ignored]
    except InvalidEvent as error:
        problems = [error.problem]
    if valid and problems:
        assume(not any(part in problem for problem in problems for part in BEYOND_SCHEMAS))
        return f"the schema accepts what the codec does not: {problems}"
    if not valid and not problems:
        errors = [error.message for error in VALIDATORS[event].iter_errors(fields)]
        return f"the codec accepts what the schema does not: {errors}"
    return ""


@pytest.mark.parametrize("event", READERS, ids=lambda event: event.topic)
@settings(max_examples=150)
@given(data=st.data())
def test_the_codec_takes_whole_what_fits_the_schema(event: type[Event], data: st.DataObject) -> None:
    fields = data.draw(objects(SCHEMAS[event], SCHEMAS[event]))
    assert _disagreement(event, fields) == "", fields


@pytest.mark.parametrize("event", READERS, ids=lambda event: event.topic)
@settings(max_examples=150)
@given(data=st.data())
def test_schema_and_codec_agree_on_any_values(event: type[Event], data: st.DataObject) -> None:
    fields = data.draw(objects(SCHEMAS[event], SCHEMAS[event]))
    for _ in range(data.draw(st.integers(1, 3))):
        inner = [value for value in fields.values() if isinstance(value, dict)]
        place = data.draw(st.sampled_from([fields, *inner]))
        names = SCHEMAS[event]["properties"] if place is fields else {"amount", "currency", *place}
        name = data.draw(st.sampled_from(sorted(names)))
        if data.draw(st.integers(0, 3)):
            place[name] = data.draw(WILD)
        else:
            place.pop(name, None)
    assert _disagreement(event, fields) == "", fields


@settings(max_examples=120)
@given(data=st.data(), event=st.sampled_from(OUTPUTS))
@example(data=None, event=OUTPUTS[0])
def test_schema_and_codec_of_outputs_agree(data: st.DataObject | None, event: Event) -> None:
    fields: dict[str, Any] = json.loads(encode(event))
    for _ in range(0 if data is None else data.draw(st.integers(1, 3))):
        assert data is not None
        inner = [each for name, each in fields.items() if isinstance(each, dict) and name not in OUTPUT_TIMES]
        place = data.draw(st.sampled_from([fields, *inner]))
        name = data.draw(st.sampled_from(sorted(set(place) - set(OUTPUT_TIMES)) or ["x"]))
        if data.draw(st.booleans()):
            place[name] = data.draw(WILD)
        else:
            place.pop(name, None)
    valid = VALIDATORS[type(event)].is_valid(fields)
    try:
        DECODERS[event.topic](json.dumps(fields).encode(), None)
    except InvalidEvent as error:
        assert not valid, error
    else:
        assert valid, fields


def test_what_no_schema_can_state_is_left_to_the_codec() -> None:
    listing = {"product_id": "p", "title": "t"}
    for wrong in ({"gtin": "4006381333932"}, {"occurred_at": "2023-02-29T12:00:00Z"}):
        assert VALIDATORS[ProductCreated].is_valid(listing | wrong)
        assert [each.field for each in decode_listing(json.dumps(listing | wrong).encode())[1]] == [
            f"$.{name}" for name in wrong
        ]
