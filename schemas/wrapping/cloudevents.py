"""CloudEvents 1.0: the event within structured mode, and what the headers of binary mode add to a value."""

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from schemas.errors import InvalidEvent
from schemas.rules import has_control_characters
from schemas.wrapping.recognition import is_cloud_event

_ANYTHING = msgspec.json.Decoder()
_LONGEST_ID = 256
_HEADERS = ("ce_specversion", "ce_id", "ce_time")


class CloudEvent(NamedTuple):
    """A CloudEvent.

    Attributes:
        data: The event: a decoded JSON value.
        id: Its id; fills `event_id`.
        time: Its time; fills `occurred_at`. None if it has none.
    """

    data: Any
    id: str | None
    time: str | None


class _Filled(msgspec.Struct):
    event_id: Any = None
    occurred_at: Any = None


_FILLED = msgspec.json.Decoder(_Filled)
_FIELDS = msgspec.json.Decoder(dict[str, Any])


def cloud_event(document: Any) -> CloudEvent | None:
    """Read a CloudEvent in structured mode.

    Args:
        document: The decoded value.

    Returns:
        The event. None if the document is no CloudEvent.

    Raises:
        InvalidEvent: `invalid-field`: Its data are missing, or no JSON.
    """
    if not is_cloud_event(document):
        return None
    return CloudEvent(_data(document), _text(document.get("id")), _text(document.get("time")))


def _data(document: dict[str, Any]) -> Any:
    data, encoded = document.get("data"), document.get("data_base64")
    content_type = str(document.get("datacontenttype") or "application/json").split(";")[0].strip().lower()
    if data is None and encoded is None:
        raise InvalidEvent(
            "invalid-field", "$.data: the CloudEvent has no data; discard this record", "$.data"
        )
    if not content_type.endswith(("/json", "+json")):
        raise InvalidEvent(
            "invalid-field",
            "$.datacontenttype: the CloudEvent's data are not JSON by their content type; write them as "
            "application/json",
            "$.datacontenttype",
        )
    if encoded is None and not isinstance(data, str):
        return data
    try:
        text: Any = data if encoded is None else base64.b64decode(encoded, validate=True)
        return _ANYTHING.decode(text)
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        path = "$.data" if encoded is None else "$.data_base64"
        message = f"{path}: the CloudEvent's data cannot be decoded as JSON; write them as a JSON object"
        raise InvalidEvent("invalid-field", message, path) from error


def fill(event: dict[str, Any], event_id: str | None, occurred_at: str | None) -> None:
    """Set the event's id and time, in place, where it has none."""
    if event_id and event.get("event_id") is None:
        event["event_id"] = event_id
    if occurred_at and event.get("occurred_at") is None:
        event["occurred_at"] = occurred_at


def header_attributes(headers: Iterable[tuple[str, bytes | None]]) -> tuple[str | None, str | None]:
    """Return the valid id and time of a CloudEvent in binary mode. None where there is none.

    Args:
        headers: The record's headers.
    """
    found = {name: value for name, value in headers if name in _HEADERS and value}
    if "ce_specversion" not in found:
        return None, None
    return _identifier(found.get("ce_id")), _time(found.get("ce_time"))


def filled_from_headers(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """Return a value with `event_id` and `occurred_at` from `ce_id` and `ce_time`, where it has none.

    The value stays as it is, byte for byte, if it has both, if it is no JSON object, or if the record is no
    CloudEvent in binary mode.

    Args:
        value: A plain value.
        headers: The record's headers.
    """
    event_id, occurred_at = header_attributes(headers)
    if value is None or not (event_id or occurred_at):
        return value
    try:
        known = _FILLED.decode(value)
        if (known.event_id is not None or not event_id) and (
            known.occurred_at is not None or not occurred_at
        ):
            return value
        event = _FIELDS.decode(value)
        fill(event, event_id, occurred_at)
        return msgspec.json.encode(event)
    except (ValueError, RecursionError):
        return value


def _identifier(value: bytes | None) -> str | None:
    """Decode an id. An invalid header must not cost the record."""
    text = (value or b"").decode("utf-8", "replace")
    return text if 0 < len(text) <= _LONGEST_ID and not has_control_characters(text) else None


def _time(value: bytes | None) -> str | None:
    text = (value or b"").decode("utf-8", "replace")
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return None
    return text


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
