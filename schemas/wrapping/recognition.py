"""Recognizes by its shape what a value or a key is wrapped in. It runs for records that do not decode."""

from typing import Any, NamedTuple

import msgspec

from schemas.errors import InvalidEvent

SETTINGS = {
    "product-created": "SHELFSTREAM_PRODUCT_VALUES",
    "user-behavior": "SHELFSTREAM_BEHAVIOR_VALUES",
    "category-feedback": "SHELFSTREAM_FEEDBACK_VALUES",
}
"""The setting that says how the values of an input topic are wrapped, by topic."""

_ANYTHING = msgspec.json.Decoder()
_DECODE_ERRORS = (ValueError, RecursionError)
_SCHEMA_ID_ENDS = 5
_JSON_STARTS = (b"{", b"[", b'"', b" ", b"\n", b"\r", b"\t")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"{\x00", b"\x00{", b"[\x00", b"\x00[")
_REDRIVE = "restart the workers and redrive this record"
# What else a value may begin with: the reason, what it is, and what to do.
_BYTES: tuple[tuple[bytes, str, str, str], ...] = (
    (b"\x1f\x8b", "gzip", "gzip", "let Kafka compress instead (the producer's `compression.type`)"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd", "let Kafka compress instead (the producer's `compression.type`)"),
    (b"PK\x03\x04", "zip", "a ZIP archive", "write one JSON event in each record"),
    (b"Obj\x01", "avro-file", "an Avro file", "write records with a schema registry's serializer, or JSON"),
    (b"PAR1", "parquet", "a Parquet file", "write one JSON event in each record"),
    (b"\xac\xed\x00\x05", "java-object", "a serialized Java object", "use a serializer of JSON or Avro"),
    (b"<", "xml", "XML", "write JSON; for files there is `shelfstream import`"),
)


class Recognized(NamedTuple):
    """What a value looks like.

    Attributes:
        reason: The reason code of its dead letter, such as `debezium-envelope`.
        what: What it is, as the subject's complement in a sentence.
        values: The setting's value that reads it; None if none does.
        remedy: What to do if no setting reads it.
    """

    reason: str
    what: str
    values: str | None = None
    remedy: str = ""


def recognize(value: bytes) -> Recognized | None:
    """Return what a value is wrapped in; None if it looks like nothing that is known."""
    if value.startswith(_UTF_16):
        return Recognized("utf-16", "text in UTF-16", remedy="write UTF-8")
    if value[:1] == b"\x00" and len(value) > _SCHEMA_ID_ENDS:
        return Recognized(
            "confluent-wire-format",
            f"Confluent's wire format (magic byte 0, schema id {schema_id(value)})",
            "confluent",
        )
    for start, reason, what, remedy in _BYTES:
        if value.startswith(start):
            return Recognized(reason, what, remedy=remedy)
    if value[:1] not in _JSON_STARTS:
        return None
    try:
        return recognize_document(_ANYTHING.decode(value))
    except _DECODE_ERRORS:
        return None


def recognize_document(document: Any) -> Recognized | None:
    """Return what a decoded value is wrapped in; None if it looks like nothing that is known."""
    if is_envelope(document):
        return Recognized("debezium-envelope", "a Debezium change event", "debezium")
    if is_cloud_event(document):
        return Recognized("cloudevents-structured", "a CloudEvent in structured mode", "cloudevents")
    if is_with_schema(document):
        inner = "a Debezium change event" if is_envelope(document["payload"]) else "a row"
        reason = "debezium-envelope" if is_envelope(document["payload"]) else "connect-json-schema"
        return Recognized(
            reason, f'{inner} in Kafka Connect\'s JSON with a schema ("schema", "payload")', "debezium"
        )
    if isinstance(document, str) and document.lstrip()[:1] in ("{", "["):
        remedy = "give the producer's serializer the object itself"
        return Recognized("double-encoded", "JSON inside a JSON string: encoded twice", remedy=remedy)
    if isinstance(document, list) and document and isinstance(document[0], dict):
        remedy = "write one event in each record"
        return Recognized("array", f"an array of {len(document)} objects", remedy=remedy)
    return None


def recognize_key(key: bytes | None) -> Recognized | None:
    """Return what a record's key is wrapped in; None for a plain one."""
    if not key:
        return None
    if key[:1] == b"\x00" and len(key) > _SCHEMA_ID_ENDS:
        what = f"Confluent's wire format (magic byte 0, schema id {schema_id(key)})"
        return Recognized("confluent-key", what, "confluent")
    if key[:1] != b"{":
        return None
    try:
        document = _ANYTHING.decode(key)
    except _DECODE_ERRORS:
        return None
    with_schema = is_with_schema(document)
    return Recognized(
        "json-key",
        f"a JSON object{' with a schema' if with_schema else ''}, as Debezium and Kafka Connect write it",
        "debezium",
    )


def schema_id(framed: bytes) -> int:
    """Return the schema id of Confluent's wire format."""
    return int.from_bytes(framed[1:_SCHEMA_ID_ENDS], "big")


def is_with_schema(document: Any) -> bool:
    """Whether a document is Kafka Connect's JSON with a schema: `{"schema": …, "payload": …}`."""
    if not isinstance(document, dict) or document.keys() != {"schema", "payload"}:
        return False
    return document["schema"] is None or (
        isinstance(document["schema"], dict) and "type" in document["schema"]
    )


def is_envelope(document: Any) -> bool:
    """Whether a document is a Debezium change event: an operation with the row before or after it."""
    if not isinstance(document, dict) or not isinstance(document.get("op"), str):
        return False
    return bool({"before", "after"} & document.keys()) or ("source" in document and "ts_ms" in document)


def is_cloud_event(document: Any) -> bool:
    """Whether a document is a CloudEvent in structured mode: it has the four required attributes."""
    return isinstance(document, dict) and {"specversion", "id", "source", "type"} <= document.keys()


def misread(topic: str, value: bytes, setting: str = "plain") -> InvalidEvent | None:
    """Return the error of a value that is wrapped in another way than its topic's setting says.

    Args:
        topic: The input topic.
        value: The value that does not decode.
        setting: The value of the topic's setting.

    Returns:
        The error; None if the value looks like nothing that is known, or the topic has no such setting.
    """
    recognized = recognize(value) if topic in SETTINGS else None
    return None if recognized is None else misread_as(topic, recognized, setting)


def misread_as(topic: str, recognized: Recognized, setting: str) -> InvalidEvent:
    """Return the error of a value that was recognized as another form than the setting's."""
    problem = f"the value is {recognized.what}"
    if recognized.values is None:
        return InvalidEvent(recognized.reason, problem, None, f"no setting reads it: {recognized.remedy}")
    variable = SETTINGS[topic]
    return InvalidEvent(
        recognized.reason,
        problem,
        None,
        f"but {variable} is {setting}: set {variable}={recognized.values}{_registry(recognized.values)} if "
        f"all values of {topic} are, {_REDRIVE}",
    )


def not_as_set(topic: str, value: bytes, setting: str, expected: str, document: Any = None) -> InvalidEvent:
    """Return the error of a value that is not wrapped as its topic's setting says.

    Args:
        topic: The input topic.
        value: The value.
        setting: The value of the setting.
        expected: What the setting expects, as the subject's complement in a sentence.
        document: The decoded value, if it could be decoded.
    """
    recognized = recognize(value) if document is None else recognize_document(document)
    if recognized is not None and recognized.values != setting:
        return misread_as(topic, recognized, setting)
    variable = SETTINGS[topic]
    if document is not None or value[:1] in _JSON_STARTS:
        return InvalidEvent(
            "not-wrapped",
            f"the value is plain JSON and not {expected}",
            None,
            f"but {variable} is {setting}: set {variable}=plain if all values of {topic} are plain, "
            f"{_REDRIVE}",
        )
    return InvalidEvent(
        "not-wrapped",
        f"the value is not {expected}",
        None,
        f"but {variable} is {setting}: correct the setting or the producer",
    )


def wrapped_key(topic: str, key: bytes | None) -> InvalidEvent | None:
    """Return the error of a key that is wrapped although the setting says plain; None for a plain key."""
    recognized = recognize_key(key) if topic in SETTINGS else None
    if recognized is None or recognized.values is None:
        return None
    variable, values = SETTINGS[topic], recognized.values
    return InvalidEvent(
        recognized.reason,
        f"the key is {recognized.what}",
        None,
        f"but {variable} is plain: set {variable}={values}{_registry(values)}, or make the key "
        "the plain id (transform ExtractField$Key, and StringConverter as `key.converter`), "
        f"{_REDRIVE}",
    )


def _registry(values: str) -> str:
    return " and SHELFSTREAM_SCHEMA_REGISTRY_URL" if "confluent" in values else ""
