"""Every value decodes to an event or raises an InvalidEvent with a reason, a field and advice."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.all_events import EVENTS
from schemas.codec import (
    DECODERS,
    decode_affinity_updated,
    decode_category_feedback,
    decode_product_created,
    decode_product_enriched,
    decode_shopper_updated,
    decode_user_behavior,
    encode,
)
from schemas.errors import InvalidEvent
from schemas.events import Action, Change, Event
from schemas.examples import EXAMPLES

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
BEHAVIOR: dict[str, Any] = {
    "occurred_at": "2024-05-01T12:00:00Z",
    "product_id": "p",
    "action": "view",
    "user_id": "u",
}
LISTING: dict[str, Any] = {"product_id": "p", "title": "Teapot"}


def _bytes(fields: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({**fields, **changes}).encode()


def _error(topic: str, value: bytes | None, key: bytes | None = None) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as raised:
        DECODERS[topic](value, key)
    return raised.value


def test_a_listing_of_an_id_and_a_title_is_enough() -> None:
    event = decode_product_created(b'{"product_id": "p", "title": "Teapot"}', b"p")
    assert (event.product_id, event.title, event.change) == ("p", "Teapot", Change.CREATED)


@pytest.mark.parametrize("title", ["", "x" * 900_000, "a\x00b", "茶壶 🍵"])
def test_empty_huge_and_odd_titles_are_valid(title: str) -> None:
    assert decode_product_created(_bytes(LISTING, title=title)).title == title


def test_only_a_withdrawal_may_omit_the_title() -> None:
    assert decode_product_created(b'{"product_id": "p", "change": "withdrawn"}').change is Change.WITHDRAWN
    error = _error("product-created", b'{"product_id": "p"}')
    assert (error.reason, error.field) == ("invalid-field", "$.title")


def test_a_tombstone_withdraws_the_product_that_its_key_names() -> None:
    event = decode_product_created(None, "茶".encode())
    assert (event.product_id, event.change) == ("茶", Change.WITHDRAWN)


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"a\x00", b"x" * 257])
def test_a_tombstone_without_a_valid_product_id_is_rejected(key: bytes | None) -> None:
    assert _error("product-created", None, key).reason == "invalid-key"


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T12:00:00Z",
        "2024-05-01 12:00:00",
        "2024-05-01T12:00:00",
        "2024-05-01T20:00:00+08:00",
        "2024-05-01 20:00:00+0800",
        "2024-05-01T12:00:00.000000+00:00",
        "2024-05-01T12:00",
        "20240501T120000Z",
        "2024-W18-3T12:00:00Z",
        "2024-05-01T20+08",
    ],
)
def test_times_in_any_iso_8601_form_are_one_instant_in_utc(text: str) -> None:
    event = decode_user_behavior(_bytes(BEHAVIOR, occurred_at=text))
    assert event.occurred_at == NOW
    assert event.occurred_at.tzinfo is UTC
    assert decode_product_created(_bytes(LISTING, occurred_at=text)).occurred_at == NOW


@pytest.mark.parametrize(
    "time",
    [
        "1999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "2024-05-02T12:00:00.000001Z",
    ],
)
def test_implausible_times_of_behavior_are_rejected(time: str) -> None:
    with pytest.raises(InvalidEvent) as raised:
        decode_user_behavior(_bytes(BEHAVIOR, occurred_at=time), received_at=NOW)
    assert raised.value.reason == "invalid-time"
    assert raised.value.field == "$.occurred_at"


def test_a_day_ahead_of_the_broker_is_allowed_and_without_an_arrival_time_the_future_is_not_checked() -> None:
    tomorrow = (NOW + timedelta(days=1)).isoformat()
    assert decode_user_behavior(_bytes(BEHAVIOR, occurred_at=tomorrow), received_at=NOW)
    assert decode_user_behavior(_bytes(BEHAVIOR, occurred_at="2999-01-01T00:00:00Z"))
    assert decode_user_behavior(_bytes(BEHAVIOR, occurred_at="2000-01-01T00:00:00Z"))


@pytest.mark.parametrize("time", [171456480, "yesterday", "2024-05-01", "", None, "2024-05-01T25:00:00Z", {}])
def test_a_value_that_is_not_a_time_is_an_invalid_field(time: Any) -> None:
    error = _error("user-behavior", _bytes(BEHAVIOR, occurred_at=time))
    assert (error.reason, error.field) == ("invalid-field", "$.occurred_at")


def test_decoding_an_unusual_time_still_checks_the_other_fields() -> None:
    error = _error("user-behavior", _bytes(BEHAVIOR, occurred_at="20240501T120000Z", action="sniff"))
    assert (error.reason, error.field) == ("invalid-field", "$.action")


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"action": "sniff"}, "$.action", "Invalid enum value 'sniff'; allowed values: view, click, cart"),
        ({"action": "x" * 100_000}, "$.action", "Invalid enum value"),
        ({"product_id": 7.5}, "$.product_id", "is no whole number of up to 64 bits; write it as text"),
        ({"product_id": ""}, "$.product_id", "a string of 0 characters"),
        ({"product_id": "x" * 257}, "$.product_id", "a string of 257 characters"),
        ({"product_id": "a\x00"}, "$.product_id", "control character"),
        ({"user_id": "a\n"}, "$.user_id", "control character"),
    ],
)
def test_an_error_names_the_invalid_field_and_describes_its_value(
    change: dict[str, Any], field: str, expected: str
) -> None:
    error = _error("user-behavior", _bytes(BEHAVIOR, **change))
    assert (error.reason, error.field) == ("invalid-field", field)
    assert expected in error.detail
    assert "schemas/json/user-behavior.json" in error.detail
    assert len(error.detail) < 800


@pytest.mark.parametrize("name", ["occurred_at", "product_id", "action"])
def test_a_missing_field_is_named(name: str) -> None:
    error = _error("user-behavior", json.dumps({k: v for k, v in BEHAVIOR.items() if k != name}).encode())
    assert (error.reason, error.field) == ("invalid-field", f"$.{name}")


def test_a_behavior_event_without_a_shopper_is_rejected() -> None:
    assert _error("user-behavior", _bytes(BEHAVIOR, user_id=None)).reason == "missing-shopper"


def test_a_correction_needs_a_category() -> None:
    feedback = {"product_id": "p", "verdict": "correct"}
    assert _error("category-feedback", _bytes(feedback)).reason == "missing-category"
    assert decode_category_feedback(_bytes(feedback, category_id=166)).category_id == 166
    assert decode_category_feedback(_bytes(feedback, verdict="accept")).category_id is None


@pytest.mark.parametrize("topic", DECODERS)
@pytest.mark.parametrize("version", [0, 2, 10**30, "1", 1.5, None, True])
def test_an_unknown_version_is_reported_before_other_fields(topic: str, version: Any) -> None:
    error = _error(topic, json.dumps({"all": "new", "product_id": 5, "schema_version": version}).encode())
    assert (error.reason, error.field) == ("unknown-version", "$.schema_version")


@pytest.mark.parametrize("topic", DECODERS)
@pytest.mark.parametrize("odd", [b"1e999", b'"\xff"'])
def test_an_unknown_version_is_reported_beside_undecodable_fields(topic: str, odd: bytes) -> None:
    error = _error(topic, b'{"product_id": 5, "user_id": 5, "x": ' + odd + b', "schema_version": 2}')
    assert error.reason == "unknown-version"


@pytest.mark.parametrize("odd", [b"1e999", b'"\xff"', b"1"])
def test_an_unusual_time_is_read_beside_unknown_fields_that_cannot_be_decoded(odd: bytes) -> None:
    value = b'{"product_id": "p", "title": "t", "occurred_at": "20240501T120000Z", "x": ' + odd + b"}"
    assert decode_product_created(value).occurred_at == NOW


@pytest.mark.parametrize("topic", DECODERS)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty-value"),
        (b"{", "malformed-json"),
        (b"not json", "malformed-json"),
        (b'{"product_id": NaN}', "malformed-json"),
        (b'{"x": Infinity}', "malformed-json"),
        (b'\xef\xbb\xbf{"product_id": "p"}', "malformed-json"),
        (b'{"product_id": "\xff", "user_id": "\xff", "by": "\xff"}', "malformed-json"),
        (rb'{"product_id": "\ud800", "user_id": "\ud800", "by": "\ud800"}', "malformed-json"),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
        (b'{"x": ' + b'{"x":' * 100_000, "too-deep"),
        (b"[]", "invalid-field"),
        (b"null", "invalid-field"),
        (b'"text"', "invalid-field"),
    ],
)
def test_a_value_that_is_not_a_json_object_is_rejected_with_the_reason(
    topic: str, value: bytes, reason: str
) -> None:
    assert _error(topic, value).reason == reason


@pytest.mark.parametrize("topic", [topic for topic in DECODERS if topic != "product-created"])
def test_a_null_value_is_rejected_on_topics_without_tombstones(topic: str) -> None:
    assert _error(topic, None, b"p").reason == "null-value"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.topic)
def test_a_key_must_be_the_subject_and_may_be_absent(example: Event) -> None:
    decode, value = DECODERS[example.topic], encode(example)
    fields = json.loads(value)
    key = next(fields[name] for name in ("user_id", "product_id", "action") if name in fields)
    assert decode(value, key.encode()) == decode(value, None) == example
    assert _error(example.topic, value, b"other").reason == "key-mismatch"


def test_the_key_of_a_guest_is_the_session_id() -> None:
    value = _bytes(BEHAVIOR, user_id=None, session_id="s")
    assert decode_user_behavior(value, b"s").session_id == "s"
    assert _error("user-behavior", value, b"u").field == "$.session_id"
    assert decode_user_behavior(_bytes(BEHAVIOR, session_id="s"), b"s").user_id == "u"
    assert _error("user-behavior", _bytes(BEHAVIOR, session_id="s"), b"t").field == "$.user_id"


def test_every_action_but_search_and_identify_needs_a_product() -> None:
    for action in Action:
        value = _bytes(BEHAVIOR, action=action.value, product_id=None, anonymous_id="a")
        if action in (Action.SEARCH, Action.IDENTIFY):
            assert decode_user_behavior(value, b"u").product_id is None
        else:
            assert _error("user-behavior", value).field == "$.product_id"


@pytest.mark.parametrize("ids", [{"user_id": None, "session_id": "s"}, {"user_id": "u"}])
def test_identify_needs_the_user_and_the_guest(ids: dict[str, Any]) -> None:
    value = _bytes(BEHAVIOR, action="identify", product_id=None, **ids)
    error = _error("user-behavior", value)
    assert (error.reason, error.field) == ("missing-shopper", "$.user_id")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.topic)
def test_unknown_fields_are_tolerated_at_the_root(example: Event) -> None:
    fields = {"new": {"deep": [1, None]}, **json.loads(encode(example)), "newer": "x"}
    assert DECODERS[example.topic](json.dumps(fields).encode(), None) == example


def test_unknown_fields_are_skipped_even_if_they_are_not_utf_8() -> None:
    assert decode_product_created(b'{"product_id": "p", "title": "", "\xff": "\xfe"}').title == ""
    assert _error("product-created", b'{"product_id": "p", "\x80title": "x"}').field == "$.title"


def test_unknown_fields_are_tolerated_inside() -> None:
    fields = json.loads(next(encode(example) for example in EXAMPLES if example.topic == "product-enriched"))
    fields["category"]["new"] = fields["decision"]["new"] = fields["tags"][0]["new"] = [1]
    assert decode_product_enriched(json.dumps(fields).encode())


def test_decoded_outputs_have_utc_times() -> None:
    affinity = {"product_id": "p", "related": [], "as_of": "2024-05-01T20:00:00+08:00", "half_life_days": 60}
    assert decode_affinity_updated(_bytes(affinity)).as_of.tzinfo is UTC
    naive = "2024-05-01T12:00:00"
    session = {"session_id": "s", "started_at": naive, "last_at": naive, "events": 1, "products": 1}
    shopper = {"user_id": "u", "as_of": naive, "session": session, "next_behavior": {"leave": 1.0}}
    event = decode_shopper_updated(_bytes(shopper))
    assert event.as_of == event.session.started_at == event.session.last_at == NOW
    assert event.session.last_at.tzinfo is UTC


def test_every_field_is_written_and_times_end_in_z() -> None:
    written = json.loads(encode(decode_user_behavior(_bytes(BEHAVIOR))))
    assert written["occurred_at"] == "2024-05-01T12:00:00Z"
    assert written["session_id"] is None
    assert written["action"] == Action.VIEW


def test_an_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(InvalidEvent("invalid-field", "detail", "$.x")))
    assert (error.reason, error.detail, error.field) == ("invalid-field", "detail", "$.x")


def test_decoders_name_every_event_topic() -> None:
    assert set(DECODERS) == {event.topic for event in EVENTS}
