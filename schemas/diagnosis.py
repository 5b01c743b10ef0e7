"""Why a value could not be decoded, told precisely. Off the hot path: it looks at a value a second time."""

import re
from contextlib import suppress
from typing import Any

import msgspec

from schemas.errors import InvalidEvent
from schemas.events import Event

_PATH = re.compile(r" - at `(?P<path>\$[^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]")
_QUOTED = 300
_ADVICE = "correct the producer (schemas/json/{topic}.json says what is allowed), then redrive this record"


class _Versioned(msgspec.Struct):
    """The one field that every version of every event has."""

    schema_version: Any = 1


_VERSIONED = msgspec.json.Decoder(_Versioned)
_ANYTHING = msgspec.json.Decoder()


def advice(event: type[Event]) -> str:
    """What the reader of an error about `event` can do, as the end of a sentence."""
    return _ADVICE.format(topic=event.topic)


def kind(value: Any) -> str:
    """Describe a decoded JSON value without quoting its text: `a string of 12 characters`, `-3`, `null`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"a string of {len(value)} characters"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, dict):
        return f"an object with {len(value)} fields"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    return str(value)


def value_at(document: Any, path: str) -> Any:
    """Follow a msgspec path such as `$.related[0].score`; raises LookupError where it cannot be followed."""
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise LookupError(path)
        name = step["name"]
        try:
            document = document[name] if name is not None else document[int(step["index"])]
        except TypeError as error:
            raise LookupError(path) from error
        position = step.end()
    return document


def diagnose(event: type[Event], value: bytes | None, error: Exception) -> InvalidEvent:
    """Say why `value` is not an `event`: the version comes before everything but the JSON itself.

    Args:
        event: the type that was expected.
        value: the record's value.
        error: what the decoder raised.

    Returns:
        The error to raise: `null-value`, `empty-value`, `malformed-json`, `too-deep`, `unknown-version` or
        `invalid-field`.
    """
    if value is None:
        return InvalidEvent(
            "null-value",
            f"a {event.topic} record has a null value, which means nothing there; {advice(event)}",
        )
    if not value:
        return InvalidEvent("empty-value", f"a {event.topic} record has an empty value; {advice(event)}")
    try:
        version = _VERSIONED.decode(value).schema_version
    except msgspec.ValidationError as wrong:  # not an object
        return InvalidEvent(
            "invalid-field", f"$: {wrong} at the root of the {event.topic} event; {advice(event)}", "$"
        )
    except (ValueError, RecursionError) as wrong:
        return _unreadable(event, wrong)
    if type(version) is not int or version != 1:
        return InvalidEvent(
            "unknown-version",
            f"schema_version is {kind(version)}, and this shelfstream reads version 1 of {event.topic}; "
            "upgrade shelfstream, then redrive this record, or have the producer write version 1",
            "$.schema_version",
        )
    if isinstance(error, msgspec.ValidationError):
        return _field_error(event, value, error)
    return _unreadable(event, error)


def _unreadable(event: type[Event], error: Exception) -> InvalidEvent:
    if isinstance(error, RecursionError):
        return InvalidEvent(
            "too-deep",
            f"the {event.topic} event nests too many arrays or objects to be read; {advice(event)}",
        )
    return InvalidEvent("malformed-json", f"{_json_fault(error)}; {advice(event)}")


def _json_fault(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"the value is not UTF-8 ({error.reason})"
    return str(error) or type(error).__name__


def _field_error(event: type[Event], value: bytes, error: msgspec.ValidationError) -> InvalidEvent:
    message = str(error)
    found = _PATH.search(message)
    path = found["path"] if found else "$"
    # msgspec quotes an unknown enum value, however long it is.
    what = (message[: found.start()] if found else message)[:_QUOTED]
    missing = _MISSING.match(what)
    if missing:
        path = f"{path}.{missing['name']}"
    else:
        # A path with `[...]` runs through an object's values and cannot be followed to the culprit; and the
        # rest of the value may hold what cannot be read as a whole.
        with suppress(LookupError, ValueError, RecursionError):
            what = f"{what}, and it is {kind(value_at(_ANYTHING.decode(value), path))}"
    return InvalidEvent("invalid-field", f"{path}: {what}; {advice(event)}", path)
