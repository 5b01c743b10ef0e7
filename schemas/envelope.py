"""The headers of records: CloudEvents 1.0 in Kafka's binary mode, and W3C Trace Context.

A value is the event alone. Facts about the record are in headers, so a consumer can route records and drop
duplicates without decoding values. An output's `ce_id` is derived from its input record and the versions of
model and taxonomy, so a replayed record yields the same `ce_id` again.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

import msgspec

from schemas.events import Source
from schemas.fields import IDENTIFIER_PATTERN

Headers = Sequence[tuple[str, bytes | None]]
"""The headers of a record: names and values."""

EVENT_HEADERS = ("ce_id", "ce_time")
"""The headers that fill fields which a value does not have."""

CONTENT_TYPE = b"application/json"
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
_IDENTIFIER = re.compile(IDENTIFIER_PATTERN)
_ID_BYTES = 16
# Encoding a time as JSON is several times as fast as isoformat; the quotes are removed.
_ENCODE = msgspec.json.Encoder().encode


def event_type(topic: str) -> str:
    """Return the CloudEvents type of a topic's events, such as `shelfstream.user-behavior.v1`."""
    return f"shelfstream.{topic.removeprefix('shelfstream-')}.v1"


def schema_uri(topic: str) -> str:
    """Return the `$id` of the JSON Schema of a topic's events."""
    return f"urn:shelfstream:schema:{topic.removeprefix('shelfstream-')}:v1"


@lru_cache(maxsize=256)
def _constant_headers(topic: str, source: str) -> tuple[tuple[str, bytes], ...]:
    return (
        ("content-type", CONTENT_TYPE),
        ("ce_specversion", b"1.0"),
        ("ce_type", event_type(topic).encode()),
        ("ce_source", source.encode()),
        ("ce_dataschema", schema_uri(topic).encode()),
    )


def output_headers(
    topic: str,
    *,
    event_id: str,
    source: str,
    subject: str,
    time: datetime | None = None,
    traceparent: bytes | None = None,
) -> list[tuple[str, bytes]]:
    """Build the headers of an output record, CloudEvents 1.0 in binary mode.

    Args:
        topic: The output topic; it determines `ce_type` and `ce_dataschema`.
        event_id: The id of the output, from `output_id`.
        source: The producer as a URI reference, such as `/shelfstream/enrich`.
        subject: The id of the product or the shopper.
        time: The time of the event (timezone-aware), or None for no `ce_time`.
        traceparent: The input's trace context, which is copied if it is valid.

    Returns:
        Header names and values, in UTF-8.
    """
    headers = [
        *_constant_headers(topic, source),
        ("ce_id", event_id.encode()),
        ("ce_subject", subject.encode()),
    ]
    if time is not None:
        headers.append(("ce_time", _rfc3339(time)))
    if traceparent is not None and is_traceparent(traceparent):
        headers.append(("traceparent", traceparent))
    return headers


def _rfc3339(time: datetime) -> bytes:
    if time.tzinfo is not UTC:
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return _ENCODE(time)[1:-1]


@lru_cache(maxsize=1024)
def _identity_prefix(topic: str, model: str, taxonomy: str, source_topic: str, partition: int) -> blake2b:
    parts = (topic, model, taxonomy, source_topic, str(partition))
    # Each part is preceded by its length, so that different lists of parts never join to the same bytes.
    joined = b"".join(b"%d:%s," % (len(part), part) for part in (text.encode() for text in parts))
    return blake2b(joined, digest_size=_ID_BYTES)


def output_id(
    source: Source, model_version: str, taxonomy_version: str, topic: str, subject: str = ""
) -> str:
    """Derive the id of an output. The same arguments always give the same id.

    Args:
        source: The position of the input record.
        model_version: The version of the model that processed the record; empty if none did.
        taxonomy_version: The version of the taxonomy; empty if none was used.
        topic: The output topic.
        subject: The output's product or shopper, if one input record has several outputs to one topic.

    Returns:
        32 hexadecimal digits, a BLAKE2b hash.
    """
    identity = _identity_prefix(topic, model_version, taxonomy_version, source.topic, source.partition).copy()
    identity.update(f"{source.offset}:{subject}".encode())
    return identity.hexdigest()


def is_traceparent(value: bytes) -> bool:
    """Whether `value` is a W3C `traceparent` of version 00, or of a later version with the same prefix."""
    match = _TRACEPARENT.fullmatch(value)
    return match is not None and (match[2] is None or match[1] != b"00")


def traceparent_of(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """Return the `traceparent` among a record's headers, or None if there is no valid one."""
    for name, value in headers:
        if name == "traceparent" and value is not None:
            return value if is_traceparent(value) else None
    return None


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The CloudEvents attributes of a record. A missing or invalid header gives None.

    Attributes:
        id: The event's id, unique together with `source`.
        source: The producer, as a URI reference.
        type: The CloudEvents type.
        subject: The id of the product or the shopper.
        time: The time of the event, in UTC.
        content_type: The media type of the value.
        traceparent: The W3C Trace Context.
    """

    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    time: datetime | None = None
    content_type: str | None = None
    traceparent: bytes | None = None


_ATTRIBUTES = {"ce_id": "id", "ce_source": "source", "ce_type": "type", "ce_subject": "subject"}


def parse_headers(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """Parse the headers of an input record. All headers are optional, and invalid ones are ignored.

    Args:
        headers: Names and values. If a name is repeated, the last value counts, as in Kafka.

    Returns:
        The parsed headers.
    """
    texts: dict[str, str] = {}
    traceparent: bytes | None = None
    for name, value in headers:
        if value is None:
            continue
        if name == "traceparent":
            traceparent = value if is_traceparent(value) else None
            continue
        try:
            texts[name] = value.decode()
        except UnicodeDecodeError:
            texts.pop(name, None)
    attributes = {field: texts[name] for name, field in _ATTRIBUTES.items() if texts.get(name)}
    return Envelope(
        **attributes,
        time=_time_of(texts.get("ce_time", "")),
        content_type=texts.get("content-type"),
        traceparent=traceparent,
    )


def header_id(headers: Headers) -> str | None:
    """Return the last valid `ce_id` among a record's headers, or None."""
    for name, value in reversed(headers):
        if name == "ce_id" and value:
            with suppress(UnicodeDecodeError):
                text = value.decode()
                if len(text) <= 256 and _IDENTIFIER.fullmatch(text):
                    return text
    return None


def header_time(headers: Headers) -> datetime | None:
    """Return the last valid `ce_time` among a record's headers, in UTC, or None."""
    for name, value in reversed(headers):
        if name == "ce_time" and value:
            time = _time_of(value.decode("utf-8", "replace"))
            if time is not None:
                return time
    return None


def _time_of(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
