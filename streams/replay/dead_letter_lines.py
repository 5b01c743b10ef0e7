"""Dead letters as JSON lines that lose nothing, and the reading of such lines after somebody changed them.

A line has the value in one of four forms:

- `value`: a JSON document, embedded as it is. Only line breaks between its tokens are left out.
- `value_text`: text that is no JSON.
- `value_base64`: bytes that are no UTF-8.
- `tombstone`: true, if the value is null.

Keys and header values that are no UTF-8 are in `key_base64` and `base64`.
"""

import base64
import binascii
from typing import Any, NamedTuple

import msgspec
import orjson

from schemas.dead_letters import DESCRIPTIONS
from schemas.errors import StopWorker
from streams.replay.dead_letter_records import DeadLetter
from streams.replay.dead_letter_remedies import remedy_of
from streams.replay.dead_letter_view import summary_fields
from streams.replay.receipts import Place


class EditedLine(NamedTuple):
    """Key and value of a line after somebody changed it, and the place of its dead letter."""

    place: Place
    key: bytes | None
    value: bytes | None


def export_line(letter: DeadLetter) -> bytes:
    """Return a dead letter as one line of JSON, without the line's end."""
    record = letter.record
    fields = summary_fields(letter)
    for name in ("key", "value_bytes"):
        del fields[name]
    fields["helps"] = remedy_of(letter).value
    if letter.left_out is not None:
        fields["left_out"] = letter.left_out
    fields |= {"key": None} if record.key is None else _text_fields("key", "key_base64", record.key)
    fields["headers"] = [
        {"name": name} | ({"value": None} if value is None else _text_fields("value", "base64", value))
        for name, value in record.headers
        if name not in DESCRIPTIONS
    ]
    return orjson.dumps(fields | value_fields(record.value))


def value_fields(value: bytes | None) -> dict[str, Any]:
    """Return the value of a line in one of its forms."""
    if value is None:
        return {"tombstone": True}
    try:
        msgspec.json.decode(value)
        orjson.loads(value)
    except (ValueError, RecursionError):
        return _text_fields("value_text", "value_base64", value)
    if b"\n" in value or b"\r" in value:
        value = msgspec.json.format(value, indent=-1)
    return {"value": orjson.Fragment(value)}


class _Line(msgspec.Struct):
    """A line as it is read. `value` stays in the bytes of the line."""

    place: str
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    value_text: str | None = None
    value_base64: str | None = None
    tombstone: bool = False
    key: str | None = None
    key_base64: str | None = None


_LINE = msgspec.json.Decoder(_Line)


def read_line(line: bytes) -> EditedLine:
    """Read key and value of a line.

    Raises:
        StopWorker: It is no line of an export. The message says why.
    """
    try:
        fields = _LINE.decode(line)
        partition, _, offset = fields.place.partition(":")
        return EditedLine((int(partition), int(offset)), _key(fields), _value(fields))
    except (ValueError, RecursionError, binascii.Error) as error:
        raise StopWorker(
            f"not a line of `dead-letters export`: {error}. Each line must be one JSON object with the field"
            " `place` (with jq: -c)"
        ) from error


def _key(fields: _Line) -> bytes | None:
    if fields.key_base64 is not None:
        return base64.b64decode(fields.key_base64, validate=True)
    return None if fields.key is None else fields.key.encode()


def _value(fields: _Line) -> bytes | None:
    if fields.value is not msgspec.UNSET:
        return bytes(fields.value)
    if fields.value_text is not None:
        return fields.value_text.encode()
    if fields.value_base64 is not None:
        return base64.b64decode(fields.value_base64, validate=True)
    if fields.tombstone:
        return None
    raise ValueError("it has no value, value_text, value_base64 or tombstone")


def _text_fields(text: str, encoded: str, value: bytes) -> dict[str, str]:
    try:
        return {text: value.decode()}
    except UnicodeDecodeError:
        return {encoded: base64.b64encode(value).decode()}
