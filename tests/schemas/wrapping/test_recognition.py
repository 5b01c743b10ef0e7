"""Recognition of wrapped values: the dead letter names the form, and the setting that reads it."""

import gzip

import orjson
import pytest

from schemas.codec import decode_category_feedback, decode_product_created, decode_user_behavior
from schemas.errors import InvalidEvent
from schemas.rules import check_unknown_key
from schemas.wrapping.recognition import recognize, recognize_key

ROW = {"product_id": "p", "title": "Tee"}
EVENT = orjson.dumps(ROW)
ENVELOPE = {"before": None, "after": ROW, "source": {"ts_ms": 1}, "op": "c", "ts_ms": 2}
CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "t", "data": ROW}
SCHEMA = {"type": "struct", "fields": []}


@pytest.mark.parametrize(
    ("value", "reason", "advice"),
    [
        (
            b"\x00\x00\x00\x00\x2a\x02p\x06Tee",
            "confluent-wire-format",
            "PRODUCT_VALUES=confluent and SHELFSTREAM_SCHEMA_REGISTRY_URL",
        ),
        (orjson.dumps(ENVELOPE), "debezium-envelope", "SHELFSTREAM_PRODUCT_VALUES=debezium"),
        (
            orjson.dumps({"schema": SCHEMA, "payload": ENVELOPE}),
            "debezium-envelope",
            "PRODUCT_VALUES=debezium",
        ),
        (orjson.dumps({"schema": SCHEMA, "payload": ROW}), "connect-json-schema", "PRODUCT_VALUES=debezium"),
        (orjson.dumps(CLOUD_EVENT), "cloudevents-structured", "SHELFSTREAM_PRODUCT_VALUES=cloudevents"),
        (gzip.compress(EVENT, mtime=0), "gzip", "compression.type"),
        (b"Obj\x01\x04\x14avro.codec", "avro-file", "schema registry"),
        (EVENT.decode().encode("utf-16"), "utf-16", "write UTF-8"),
        (EVENT.decode().encode("utf-16-be"), "utf-16", "write UTF-8"),
        (EVENT.decode().encode("utf-16-le"), "utf-16", "write UTF-8"),
        (orjson.dumps(EVENT.decode()), "double-encoded", "object itself"),
        (b"[" + EVENT + b"]", "array", "one event in each record"),
        (b"<product/>", "xml", "JSON"),
    ],
)
def test_a_plain_topic_names_what_a_value_is_wrapped_in(value: bytes, reason: str, advice: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode_product_created(value)
    assert caught.value.reason == reason
    assert advice in caught.value.detail


def test_the_setting_is_that_of_the_topic() -> None:
    value = orjson.dumps(ENVELOPE)
    with pytest.raises(InvalidEvent, match="SHELFSTREAM_BEHAVIOR_VALUES=debezium"):
        decode_user_behavior(value)
    with pytest.raises(InvalidEvent, match="SHELFSTREAM_FEEDBACK_VALUES=debezium"):
        decode_category_feedback(value)


@pytest.mark.parametrize(
    "value",
    [
        EVENT,
        b"{}",
        b"",
        b"p",
        b'{"product_id": 1}',
        b"\xff",
        b'{"op": "c"}',
        b'{"schema": 1, "payload": 2}',
        b"[1]",
    ],
)
def test_other_values_are_recognized_as_nothing(value: bytes) -> None:
    assert recognize(value) is None


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (b'{"id": 111}', "json-key"),
        (b'{"schema": {"type": "struct"}, "payload": {"id": 111}}', "json-key"),
        (b"\x00\x00\x00\x00\x01\x02p", "confluent-key"),
    ],
)
def test_a_wrapped_key_is_named(key: bytes, reason: str) -> None:
    recognized = recognize_key(key)
    assert recognized is not None
    assert recognized.reason == reason
    with pytest.raises(InvalidEvent) as caught:
        decode_product_created(EVENT, key)
    assert caught.value.reason == reason
    assert "ExtractField$Key" in caught.value.detail
    assert "SHELFSTREAM_PRODUCT_VALUES=" in caught.value.detail


def test_a_tombstone_that_names_no_known_product_by_a_json_key_is_named() -> None:
    with pytest.raises(InvalidEvent, match=r"json-key.*JSON object.*SHELFSTREAM_PRODUCT_VALUES=debezium"):
        check_unknown_key('{"id": 111}')
    check_unknown_key("{nothing of JSON}")


@pytest.mark.parametrize("key", [None, b"", b"p", b"111", b"{p}", b'"p"', b"\x00"])
def test_a_plain_key_is_recognized_as_nothing(key: bytes | None) -> None:
    assert recognize_key(key) is None
