"""Unwrapping: other systems' values become events of the contract, and nothing but InvalidEvent is raised."""

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_product_created, decode_user_behavior
from schemas.errors import InvalidEvent
from schemas.events import Change
from schemas.wrapping.unwrapping import EventMapping, KeyValue, Unwrapper

PRODUCTS, BEHAVIOR, FEEDBACK = "product-created", "user-behavior", "category-feedback"
ROW: dict[str, Any] = {"product_id": 111, "title": "Tee", "description": None}
ACTION = {"user_id": 7, "product_id": "p", "action": "view"}
AT_MS = 1_714_566_600_000
AT = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
STRUCT = {"type": "struct", "fields": [{"field": "id", "type": "int64"}]}


def envelope(op: str, before: Any = None, after: Any = None) -> dict[str, Any]:
    return {"op": op, "before": before, "after": after, "source": {"ts_ms": AT_MS}, "ts_ms": AT_MS + 5}


def with_schema(payload: Any, schema: Any = STRUCT) -> dict[str, Any]:
    return {"schema": schema, "payload": payload}


def unwrap(
    setting: str, key: Any, value: Any, topic: str = PRODUCTS, mapping: EventMapping | None = None
) -> list[KeyValue]:
    """Unwrap JSON values; bytes stay as they are."""
    key = key if key is None or isinstance(key, bytes) else orjson.dumps(key)
    value = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
    return Unwrapper(topic, setting, mapping=mapping).unwrap(key, value, ())


def one(setting: str, key: Any, value: Any, topic: str = PRODUCTS, **options: Any) -> KeyValue:
    (found,) = unwrap(setting, key, value, topic, **options)
    return found


def reason(*arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidEvent) as caught:
        unwrap(*arguments, **options)
    return caught.value.reason


@pytest.mark.parametrize("schema", [False, True])
@pytest.mark.parametrize("op", ["c", "u", "r"])
def test_the_row_after_a_change_is_the_event(op: str, schema: bool) -> None:
    document = envelope(op, after=ROW)
    key, value = one("debezium", {"product_id": 111}, with_schema(document) if schema else document)
    event = decode_product_created(value, key)
    assert (event.product_id, event.title, event.description) == ("111", "Tee", "")
    # A snapshot reads the row at a time that says nothing about the row.
    assert event.occurred_at == (None if op == "r" else AT)


@pytest.mark.parametrize(
    ("key", "before"),
    [
        ({"product_id": 111}, ROW),
        ({"id": 111}, None),
        (with_schema({"id": 111}), None),
        (b"111", None),
        (b'"111"', None),
        (None, ROW),
        ({"id": 5}, ROW),
    ],
)
def test_a_deleted_row_withdraws_its_product(key: Any, before: Any) -> None:
    unwrapped = one("debezium", key, envelope("d", before=before))
    event = decode_product_created(unwrapped.value, unwrapped.key)
    assert (event.product_id, event.change, event.occurred_at) == ("111", Change.WITHDRAWN, AT)


@pytest.mark.parametrize(
    "key", [{"id": 111}, with_schema({"id": 111}), b"111", {"product_id": "111", "shop": 1}]
)
def test_a_tombstone_names_its_product_by_a_wrapped_key(key: Any) -> None:
    assert one("debezium", key, None) == KeyValue(b"111", None)


def test_a_deletion_that_names_no_product_is_invalid() -> None:
    assert reason("debezium", {"id": 1, "shop": 2}, None) == "invalid-key"
    assert reason("debezium", {"id": 1, "shop": 2}, envelope("d")) == "invalid-key"


def test_the_key_of_a_row_is_no_key_of_a_product() -> None:
    """The event's product_id decides on the partition."""
    assert one("debezium", {"id": 5}, envelope("c", after=ROW)).key is None


def test_a_row_after_extract_new_record_state() -> None:
    flat = ROW | {"__deleted": "false", "__op": "u", "__source_ts_ms": AT_MS}
    event = decode_product_created(one("debezium", None, flat).value)
    assert (event.product_id, event.occurred_at) == ("111", AT)
    withdrawn = decode_product_created(one("debezium", None, ROW | {"__deleted": "true"}).value)
    assert withdrawn.change is Change.WITHDRAWN
    assert decode_product_created(one("debezium", None, with_schema(ROW)).value).title == "Tee"


def test_types_of_a_schema_are_converted() -> None:
    """Decimals are base64 and times are numbers in Kafka Connect's JSON."""
    unscaled = base64.b64encode((1999).to_bytes(2, "big", signed=True)).decode()
    decimal = {
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "2"},
        "field": "price",
    }
    micro = {"name": "io.debezium.time.MicroTimestamp", "type": "int64", "field": "occurred_at"}
    row = {"type": "struct", "fields": [decimal, micro], "field": "after"}
    schema = {"type": "struct", "fields": [row]}
    change = envelope("c", after=ROW | {"price": unscaled, "occurred_at": AT_MS * 1000})
    document = orjson.loads(one("debezium", None, with_schema(change, schema)).value or b"")
    assert (document["price"], document["occurred_at"]) == ("19.99", "2024-05-01T12:30:00Z")


def test_columns_that_the_database_did_not_log_are_left_out() -> None:
    row = ROW | {"description": "__debezium_unavailable_value"}
    assert decode_product_created(one("debezium", None, envelope("u", after=row)).value).description == ""


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (envelope("t"), "truncated-table"),
        (envelope("m"), "invalid-field"),
        (envelope("u"), "invalid-field"),
        (ROW, "not-wrapped"),
        ({"specversion": "1.0", "id": "1", "source": "s", "type": "t"}, "cloudevents-structured"),
        (b"\x00\x00\x00\x00\x01\x02", "confluent-wire-format"),
        (b"no JSON", "not-wrapped"),
    ],
)
def test_a_value_of_another_form_is_named(document: Any, expected: str) -> None:
    assert reason("debezium", None, document) == expected


def test_an_action_is_the_creation_of_a_row() -> None:
    unwrapped = one("debezium", {"user_id": 7}, envelope("c", after=ACTION), BEHAVIOR)
    event = decode_user_behavior(unwrapped.value, unwrapped.key)
    assert (event.user_id, event.occurred_at, unwrapped.key) == ("7", AT, b"7")
    for ignored in (envelope("u", after=ACTION), envelope("d", before=ACTION), None):
        assert unwrap("debezium", {"user_id": 7}, ignored, BEHAVIOR) == []
        assert ignored is not None or unwrap("debezium", b"7", ignored, FEEDBACK) == []


@pytest.mark.parametrize("key", [{"id": 5}, {"user_id": 7, "id": 5}])
def test_the_key_of_an_action_must_be_the_shopper(key: Any) -> None:
    with pytest.raises(InvalidEvent, match=r"key-mismatch.*message\.key\.columns.*ValueToKey"):
        unwrap("debezium", key, envelope("c", after=ACTION), BEHAVIOR)


def test_a_cloud_event_fills_id_and_time() -> None:
    event = {"specversion": "1.0", "id": "e1", "source": "/s", "type": "t", "time": "2024-05-01T12:30:00Z"}
    encoded = base64.b64encode(orjson.dumps(ACTION)).decode()
    for data in ({"data": ACTION}, {"data_base64": encoded}, {"data": orjson.dumps(ACTION).decode()}):
        key, value = one("cloudevents", b"7", event | data, BEHAVIOR)
        decoded = decode_user_behavior(value, key)
        assert (decoded.event_id, decoded.occurred_at) == ("e1", AT)
    own = ACTION | {"event_id": "mine", "occurred_at": "2024-05-02T00:00:00Z"}
    decoded = decode_user_behavior(one("cloudevents", b"7", event | {"data": own}, BEHAVIOR).value)
    assert (decoded.event_id, decoded.occurred_at) == ("mine", datetime(2024, 5, 2, tzinfo=UTC))
    for wrong in ({}, {"data_base64": "%"}, {"data": ACTION, "datacontenttype": "text/xml"}):
        assert reason("cloudevents", b"7", event | wrong, BEHAVIOR) == "invalid-field"
    assert reason("cloudevents", b"7", ACTION, BEHAVIOR) == "not-wrapped"


BINARY = [("ce_specversion", b"1.0"), ("ce_id", b"e1"), ("ce_time", b"2024-05-01T12:30:00Z")]


@pytest.mark.parametrize("setting", ["plain", "cloudevents"])
def test_headers_of_binary_mode_fill_id_and_time(setting: str) -> None:
    unwrapper = Unwrapper(BEHAVIOR, setting)
    value = orjson.dumps(ACTION | {"user_id": "7"})
    (found,) = unwrapper.unwrap(b"7", value, BINARY)
    event = decode_user_behavior(found.value, found.key)
    assert (event.event_id, event.occurred_at) == ("e1", AT)


@pytest.mark.parametrize(
    "headers",
    [
        BINARY[1:],
        [("ce_specversion", b"1.0"), ("ce_id", b"\x00"), ("ce_time", b"soon")],
        [("ce_specversion", b"1.0"), ("ce_id", b"x" * 257), ("ce_time", b"\xff")],
    ],
)
def test_other_headers_change_nothing(headers: list[tuple[str, bytes]]) -> None:
    value = b'{"product_id":  "p", "title": "Tee"}'
    assert Unwrapper(PRODUCTS).unwrap(b"p", value, headers) == [KeyValue(b"p", value)]


def test_a_mapping_reads_columns_of_other_names() -> None:
    def mapping(row: Any) -> list[dict[str, Any]]:
        if not isinstance(row.get("id"), int):
            raise InvalidEvent("unmapped", "no id")
        return [{"product_id": f"de-{row['id']}", "title": row.get("name")}]

    after = one("debezium", {"id": 5}, envelope("c", after={"id": 5, "name": "Mug"}), mapping=mapping)
    assert decode_product_created(after.value, after.key).product_id == "de-5"
    deleted = one("debezium", {"id": 5}, envelope("d", before={"id": 5, "name": None}), mapping=mapping)
    assert decode_product_created(deleted.value, deleted.key).product_id == "de-5"
    assert one("debezium", {"id": 5}, None, mapping=mapping) == KeyValue(b"de-5", None)
    assert one("plain", b"de-6", {"id": 6, "name": "Cup"}, mapping=mapping).key == b"de-6"


def test_one_record_may_be_several_actions_of_one_shopper() -> None:
    def mapping(order: Any) -> list[dict[str, Any]]:
        return [ACTION | {"user_id": user} for user in order["users"]]

    assert len(unwrap("plain", b"7", {"users": ["7", "7"]}, BEHAVIOR, mapping)) == 2
    assert unwrap("plain", b"7", {"users": []}, BEHAVIOR, mapping) == []
    assert reason("plain", b"7", {"users": ["7", "8"]}, BEHAVIOR, mapping=mapping) == "several-events"
    assert reason("plain", b"7", {"users": ["7", "7"]}, PRODUCTS, mapping=mapping) == "several-events"


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
)
names = st.sampled_from(
    [*("op", "before", "after", "source", "ts_ms", "schema", "payload", "type", "name", "fields", "field"),
     *("items", "parameters", "scale", "specversion", "id", "data", "data_base64", "time", "product_id"),
     *("user_id", "__deleted", "__op", "title", "occurred_at", "value")]
)  # fmt: skip
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)
NAMED = ("io.debezium.time.MicroTimestamp", "org.apache.kafka.connect.data.Decimal")
schemas = st.sampled_from([None, STRUCT]) | st.sampled_from(NAMED).map(
    lambda name: {
        "type": "struct",
        "fields": [{"field": "after", "name": name, "parameters": {"scale": "2"}}],
    }
)
envelopes = st.builds(envelope, st.sampled_from("cudrtm"), documents, documents)
wrapped = documents | envelopes | st.builds(with_schema, envelopes | documents, schemas)
encoded = wrapped.map(orjson.dumps) | st.binary(max_size=40) | st.none()
headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_time", "ce_specversion", "x"]), st.none() | st.binary(max_size=30)
    ),
    max_size=4,
)


@given(
    st.sampled_from([PRODUCTS, BEHAVIOR, FEEDBACK]),
    st.sampled_from(["plain", "debezium", "cloudevents"]),
    encoded,
    encoded,
    headers,
)
def test_any_record_has_a_result_or_is_invalid(
    topic: str,
    setting: str,
    key: bytes | None,
    value: bytes | None,
    given_headers: list[tuple[str, bytes | None]],
) -> None:
    try:
        found = Unwrapper(topic, setting).unwrap(key, value, given_headers)
    except InvalidEvent as error:
        assert error.reason
        assert len(error.detail) < 2000
    else:
        assert all(isinstance(each, bytes) or each is None for pair in found for each in pair)
