"""Arbitrary, mutated and damaged values decode to an event or raise an InvalidEvent."""

import json
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import DECODERS, encode
from schemas.errors import InvalidEvent
from schemas.events import Event
from schemas.examples import EXAMPLES


def _check_decoding(topic: str, value: bytes, key: bytes | None) -> None:
    """Decode, and fail on anything but an event or an InvalidEvent."""
    try:
        event = DECODERS[topic](value, key)
    except InvalidEvent as error:
        assert error.reason
        assert error.detail
    else:
        # A decoded event encodes and decodes to itself.
        assert DECODERS[topic](encode(event), None) == event


@given(st.sampled_from(list(DECODERS)), st.binary(max_size=200), st.none() | st.binary(max_size=8))
def test_arbitrary_bytes_decode_or_raise_invalid_event(topic: str, value: bytes, key: bytes | None) -> None:
    _check_decoding(topic, value, key)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(), max_size=8)
    | st.sampled_from(
        ["", "\x00", "\ud800", "view", "correct", "withdrawn", "GBP", "0001-01-01T00:00:00+23:00"]
    )
    | st.datetimes().map(datetime.isoformat),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.data(), st.sampled_from(EXAMPLES))
def test_mutated_events_decode_or_raise_invalid_event(data: st.DataObject, example: Event) -> None:
    """Real events with fields replaced, removed and added, at the root and one level in."""
    fields: dict[str, Any] = json.loads(encode(example))
    for _ in range(data.draw(st.integers(1, 3))):
        inner = [value for value in fields.values() if isinstance(value, dict)]
        place = data.draw(st.sampled_from([fields, *inner]))
        name = data.draw(st.sampled_from(sorted(place) or ["x"]) | st.text(max_size=3))
        if data.draw(st.booleans()):
            place[name] = data.draw(json_values)
        else:
            place.pop(name, None)
    _check_decoding(example.topic, json.dumps(fields).encode(), None)


@given(st.data(), st.sampled_from(EXAMPLES))
def test_damaged_bytes_of_events_decode_or_raise_invalid_event(data: st.DataObject, example: Event) -> None:
    value = bytearray(encode(example))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(value)))
        end = min(len(value), start + data.draw(st.integers(0, 3)))
        value[start:end] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"\\ud800", b"1e999", b"-0", b"\x00"])
        )
    _check_decoding(example.topic, bytes(value), None)
