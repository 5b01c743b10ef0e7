"""Explains why a value could not be decoded. It decodes the value again, off the hot path."""

import re
from contextlib import suppress
from typing import Any

import msgspec

from schemas.errors import InvalidEvent
from schemas.events import Event
from schemas.wrapping.recognition import misread

_PATH = re.compile(r" - at `(?P<path>\$[^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]")
_QUOTED_CHARACTERS = 300
REPAIR = "repair this record with `shelfstream dead-letters fix`: a redrive sends the same bytes again"
"""What helps a record that is invalid in itself."""
_ADVICE = "fix the producer (schemas/json/{topic}.json is the schema), and " + REPAIR


class _Versioned(msgspec.Struct):
    """The field that every version of every event has."""

    schema_version: Any = 1


_VERSIONED = msgspec.json.Decoder(_Versioned)
_ANYTHING = msgspec.json.Decoder()


def advice(event: type[Event]) -> str:
    """Return the last clause of an error message about `event`: what the operator can do."""
    return _ADVICE.format(topic=event.topic)


def describe_value(value: Any) -> str:
    """Describe a decoded JSON value without its text: `a string of 12 characters`, `-3`, `null`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"a string of {len(value)} characters"
    if isinstance(value, list):
        return f"an array of {len(value)} elements"
    if isinstance(value, dict):
        return f"an object with {len(value)} fields"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    return str(value)


def value_at(document: Any, path: str) -> Any:
    """Return the value at a msgspec path.

    Args:
        document: A decoded JSON document.
        path: A path such as `$.related[0].score`.

    Returns:
        The value.

    Raises:
        LookupError: The document has no such path, or the path is not a plain one.
    """
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
    """Find out why `value` is not an `event`.

    An unknown version is reported before any invalid field, and malformed JSON before either.

    Args:
        event: The expected type.
        value: The record's value.
        error: The decoder's error.

    Returns:
        The error to raise: that of a wrapped value, or `null-value`, `empty-value`, `malformed-json`,
        `too-deep`, `unknown-version` or `invalid-field`.
    """
    unreadable = document_error(event, value, error)
    if unreadable is not None:
        return unreadable
    assert value is not None
    return _field_error(event, value, error)


def document_error(event: type[Event], value: bytes | None, error: Exception | None) -> InvalidEvent | None:
    """Return what is wrong with a value as a whole; None if it is a JSON object of a known version.

    Args:
        event: The expected type.
        value: The record's value.
        error: The decoder's error; None if the value was decoded.
    """
    if value is None:
        return InvalidEvent(
            "null-value",
            f"the value is null, and {event.topic} has no tombstones",
            None,
            "fix the producer, and remove this record with `shelfstream dead-letters discard`: a redrive "
            "sends the same null again",
        )
    if not value:
        return InvalidEvent("empty-value", "the value is empty", None, advice(event))
    if (wrapped := misread(event.topic, value)) is not None:
        return wrapped
    try:
        version = _VERSIONED.decode(value).schema_version
    except msgspec.ValidationError as wrong:  # not an object
        return InvalidEvent("invalid-field", f"$: {wrong} at the root of the value", "$", advice(event))
    except (ValueError, RecursionError) as wrong:
        return _unreadable(event, wrong)
    if not isinstance(version, int | float) or isinstance(version, bool) or version != 1:
        return InvalidEvent(
            "unknown-version",
            f"$.schema_version: is {describe_value(version)}, but this release of shelfstream reads version "
            f"1 of {event.topic}",
            "$.schema_version",
            f"upgrade shelfstream and redrive this record, or make the producer write version 1 and {REPAIR}",
        )
    if error is None or isinstance(error, msgspec.ValidationError):
        return None
    return _unreadable(event, error)


def _unreadable(event: type[Event], error: Exception) -> InvalidEvent:
    if isinstance(error, RecursionError):
        return InvalidEvent("too-deep", "the value nests arrays or objects too deeply", None, advice(event))
    return InvalidEvent("malformed-json", _json_error_text(error), None, advice(event))


def _json_error_text(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"the value is not UTF-8 ({error.reason})"
    return str(error) or type(error).__name__


def error_path(error: Exception) -> tuple[str, str]:
    """Return the path in msgspec's error, `$` for the root, and its text without the path."""
    message = str(error)
    match = _PATH.search(message)
    return (match["path"], message[: match.start()]) if match else ("$", message)


def shortened(problem: str) -> str:
    """Return a problem's text in bounded length: msgspec quotes an unknown enum value in full."""
    return problem[:_QUOTED_CHARACTERS]


def _field_error(event: type[Event], value: bytes, error: Exception) -> InvalidEvent:
    path, text = error_path(error)
    problem = shortened(text)
    missing = _MISSING.match(problem)
    if missing:
        path = f"{path}.{missing['name']}"
    else:
        # A path with `[...]` stands for any value of an object, so it cannot be followed. The value may also
        # hold parts that cannot be decoded.
        with suppress(LookupError, ValueError, RecursionError):
            problem = f"{problem}, but it is {describe_value(value_at(_ANYTHING.decode(value), path))}"
    return InvalidEvent("invalid-field", f"{path}: {problem}", path, advice(event))
