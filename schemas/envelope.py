"""The headers of records: CloudEvents 1.0 in Kafka's binary mode, and a W3C trace passed on.

A value is the bare event; everything about the record is in headers, so that a consumer can route and drop
duplicates without reading the value. An output's `ce_id` is a function of what it was made from: a replayed
record gets the id that it had, and a consumer that remembers ids drops it.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

import msgspec

from schemas.events import Source

CONTENT_TYPE = b"application/json"
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
_ID_BYTES = 16
# Writing a time as JSON is several times as fast as isoformat; its quotes are dropped.
_ENCODE = msgspec.json.Encoder().encode


def event_type(topic: str) -> str:
    """The CloudEvents type of what `topic` carries, with its version: `shelfstream.user-behavior.v1`."""
    return f"shelfstream.{topic}.v1"


def schema_uri(topic: str) -> str:
    """The name of the JSON Schema of what `topic` carries, as its `$id` has it."""
    return f"urn:shelfstream:schema:{topic}:v1"


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
    """The headers of an output record, CloudEvents 1.0 in binary mode.

    Args:
        topic: the topic that the record goes to; it decides `ce_type` and `ce_dataschema`.
        event_id: its identity, from `output_id`.
        source: who made it, as a URI reference, such as `/shelfstream/enrich`.
        subject: what it is about: the product or the shopper.
        time: when what it tells happened (aware); left out if None.
        traceparent: the input's trace, passed on if it is a valid one.

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
    # Each part goes in with its length, so that no two lists of parts read the same.
    joined = b"".join(b"%d:%s," % (len(part), part) for part in (text.encode() for text in parts))
    return blake2b(joined, digest_size=_ID_BYTES)


def output_id(
    source: Source, model_version: str, taxonomy_version: str, topic: str, subject: str = ""
) -> str:
    """The identity of an output: the same inputs and versions always give the same id.

    Args:
        source: the record that it derives from.
        model_version: the model that read it, empty where none did.
        taxonomy_version: the taxonomy that it was read with, empty where none was.
        topic: where the output goes.
        subject: the output's product or shopper, where one input record has several outputs to one topic.

    Returns:
        32 hexadecimal digits, a BLAKE2b hash.
    """
    identity = _identity_prefix(topic, model_version, taxonomy_version, source.topic, source.partition).copy()
    identity.update(f"{source.offset}:{subject}".encode())
    return identity.hexdigest()


def is_traceparent(value: bytes) -> bool:
    """Whether `value` is a W3C `traceparent`: of version 00, or of a later one that starts alike."""
    found = _TRACEPARENT.fullmatch(value)
    return found is not None and (found[2] is None or found[1] != b"00")


def traceparent_of(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """The valid `traceparent` among a record's headers, or None: a broken one is not passed on."""
    for name, value in headers:
        if name == "traceparent" and value is not None:
            return value if is_traceparent(value) else None
    return None


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a record's headers say of it. Every part is None where the header is missing or unreadable.

    `id` and `source` together name the event; `time` is aware UTC.
    """

    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    time: datetime | None = None
    content_type: str | None = None
    traceparent: bytes | None = None


_PARTS = {"ce_id": "id", "ce_source": "source", "ce_type": "type", "ce_subject": "subject"}


def parse_headers(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """Read the headers of an incoming record. They are a courtesy of the producer: bad ones count as absent.

    Args:
        headers: names and values as Kafka gives them; of a repeated name the last one counts, as for Kafka.

    Returns:
        What they say.
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
    parts = {part: texts[name] for name, part in _PARTS.items() if texts.get(name)}
    return Envelope(
        **parts,
        time=_time_of(texts.get("ce_time", "")),
        content_type=texts.get("content-type"),
        traceparent=traceparent,
    )


def _time_of(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
