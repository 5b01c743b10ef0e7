"""A mapping that repairs values: renamed fields, defaults, conversions, in the order of its steps.

Fields are named by JSON pointers (RFC 6901) such as `/price/amount`. A step whose field is missing changes
nothing.
"""

import codecs
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.diagnosis import describe_value
from schemas.errors import ShelfstreamError, StopWorker
from schemas.wrapping.recognition import recognize

OPERATIONS = ("rename", "default", "set", "remove", "convert")
CONVERSIONS = ("string", "integer", "number", "boolean", "time", "upper", "trim")

_MISSING = object()
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LATEST_SECONDS = 100_000_000_000
_INTEGER = re.compile(r"[+-]?\d{1,400}")
_NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,3})?")


class Unmappable(ShelfstreamError):
    """A value that a mapping cannot change. The message says which step failed, and why."""


class Step(NamedTuple):
    """One change.

    Attributes:
        operation: One of `OPERATIONS`.
        path: JSON pointer of the field.
        argument: New pointer of `rename`, value of `default` and `set`, conversion of `convert`.
    """

    operation: str
    path: str
    argument: Any = None


class ValueMapping(NamedTuple):
    """Steps over a JSON value.

    Attributes:
        steps: The changes, in order.
        encoding: Encoding of values that are not UTF-8; None leaves them as they are.
        key: JSON pointer of the field that becomes the record's key; None keeps the key.
    """

    steps: tuple[Step, ...] = ()
    encoding: str | None = None
    key: str | None = None

    def apply(self, key: bytes | None, value: bytes | None) -> tuple[bytes | None, bytes | None]:
        """Return the new key and value of a record.

        Raises:
            Unmappable: The value is no JSON, or a step cannot be applied to it.
        """
        if value is None:
            raise Unmappable("the value is null: there is nothing to change")
        try:
            document = msgspec.json.decode(self._as_utf8(value))
        except (ValueError, RecursionError, LookupError) as error:
            if (found := recognize(value)) is not None and found.values == "confluent":
                raise Unmappable(
                    f"the value is {found.what}, which a mapping cannot change: correct the producer, "
                    "redrive what a setting mends, and discard the rest"
                ) from error
            raise Unmappable(f"the value is no JSON, so that a mapping cannot change it: {error}") from error
        before = msgspec.json.encode(document)
        for step in self.steps:
            _OPERATIONS[step.operation](document, step)
        after = msgspec.json.encode(document)
        if self.key is not None and (named := _get(document, self.key)) is not _MISSING:
            key = str(named).encode()
        same = after == before and self.encoding is None
        return key, value if same else after

    def _as_utf8(self, value: bytes) -> bytes:
        if self.encoding is None:
            return value
        try:
            value.decode()
        except UnicodeDecodeError:
            return value.decode(self.encoding).encode()
        return value


def load_mapping(path: Path) -> ValueMapping:
    """Read a mapping from a TOML or JSON file.

    Raises:
        StopWorker: The file cannot be read, or is no mapping. The message says what is wrong.
    """
    try:
        data = path.read_bytes()
        fields = msgspec.json.decode(data) if path.suffix == ".json" else tomllib.loads(data.decode())
        return parse_mapping(fields)
    except (OSError, ValueError) as error:
        raise StopWorker(f"{path} is no mapping: {error}") from error


def parse_mapping(fields: Any) -> ValueMapping:
    """Build a mapping from the content of a file.

    Raises:
        ValueError: It has another form. The message says what is wrong.
    """
    if not isinstance(fields, Mapping):
        raise ValueError("it must be a table with `step`, `key` and `encoding`")  # noqa: TRY004
    unknown = fields.keys() - {"step", "key", "encoding"}
    steps = fields.get("step", ())
    if unknown or not isinstance(steps, Sequence):
        raise ValueError(f"unknown entries {sorted(unknown)}; it has [[step]], key and encoding")
    encoding = fields.get("encoding")
    key = fields.get("key")
    return ValueMapping(
        tuple(_parse_step(step) for step in steps),
        None if encoding is None else known_encoding(encoding),
        None if key is None else _pointer(key),
    )


def make_step(operation: str, path: str, argument: Any = None) -> Step:
    """Build a step. Raises ValueError if a pointer or the conversion has no valid form."""
    if operation == "rename":
        argument = _pointer(argument)
    if operation == "convert" and argument not in CONVERSIONS:
        raise ValueError(f"convert to {argument!r}: known are {', '.join(CONVERSIONS)}")
    return Step(operation, _pointer(path), argument)


def _parse_step(step: Any) -> Step:
    if not isinstance(step, Mapping):
        raise ValueError(f"a step is a table, not {describe_value(step)}")  # noqa: TRY004
    operations = [name for name in OPERATIONS if name in step]
    if len(operations) != 1:
        raise ValueError(f"a step has exactly one of {', '.join(OPERATIONS)}: {dict(step)}")
    operation = operations[0]
    wanted = {"rename": "to", "convert": "to", "default": "value", "set": "value"}.get(operation)
    if step.keys() != {operation, *([wanted] if wanted else [])}:
        raise ValueError(f"{operation} needs {wanted or 'nothing else'}: {dict(step)}")
    return make_step(operation, step[operation], step[wanted] if wanted else None)


def known_encoding(name: Any) -> str:
    """Return the name of an encoding. Raises ValueError if there is no such encoding."""
    try:
        return codecs.lookup(name).name
    except (LookupError, TypeError) as error:
        raise ValueError(f"unknown encoding {name!r}") from error


def _pointer(path: Any) -> str:
    if not isinstance(path, str) or not path.startswith("/") or len(path) < 2:
        raise ValueError(f"{path!r} is no JSON pointer such as /price/amount")
    return path


def _names(path: str) -> list[str]:
    return [name.replace("~1", "/").replace("~0", "~") for name in path[1:].split("/")]


def _parent(document: Any, path: str, create: bool = False) -> tuple[Any, Any]:
    """Return the object or array that holds a field, and the field's name or index in it."""
    *parents, last = _names(path)
    for name in parents:
        if create and isinstance(document, dict) and name not in document:
            document[name] = {}
        document = _child(document, name)
    if isinstance(document, list) and last.isascii() and last.isdigit() and int(last) < len(document):
        return document, int(last)
    return (document, last) if isinstance(document, dict) else (None, last)


def _child(document: Any, name: str) -> Any:
    if isinstance(document, dict):
        return document.get(name, _MISSING)
    if isinstance(document, list) and name.isascii() and name.isdigit() and int(name) < len(document):
        return document[int(name)]
    return _MISSING


def _get(document: Any, path: str) -> Any:
    for name in _names(path):
        document = _child(document, name)
    return document


def _put(document: Any, path: str, value: Any) -> None:
    parent, name = _parent(document, path, create=True)
    if parent is None:
        raise Unmappable(f"{path} cannot be set: what it is in is no object")
    parent[name] = value


def _remove(document: Any, step: Step) -> None:
    parent, name = _parent(document, step.path)
    if _get(document, step.path) is not _MISSING:
        del parent[name]


def _rename(document: Any, step: Step) -> None:
    value = _get(document, step.path)
    if value is not _MISSING:
        _remove(document, step)
        _put(document, step.argument, value)


def _default(document: Any, step: Step) -> None:
    if _get(document, step.path) in (_MISSING, None):
        _put(document, step.path, step.argument)


def _set(document: Any, step: Step) -> None:
    _put(document, step.path, step.argument)


def _convert(document: Any, step: Step) -> None:
    value = _get(document, step.path)
    if value is _MISSING or value is None:
        return
    converted = converted_value(value, step.argument)
    if converted is _MISSING:
        raise Unmappable(f"{step.path}: {describe_value(value)} cannot become {step.argument}")
    _put(document, step.path, converted)


_OPERATIONS = {
    "rename": _rename, "default": _default, "set": _set, "remove": _remove, "convert": _convert,
}  # fmt: skip


def converted_value(value: Any, to: str) -> Any:
    """Return a value as another type, or `_MISSING` if it cannot be one."""
    text = value.strip() if isinstance(value, str) else None
    if to in ("upper", "trim"):
        return _MISSING if text is None else text.upper() if to == "upper" else text
    if to == "string":
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if to == "boolean":
        return value if isinstance(value, bool) else _BOOLEANS.get(str(value).strip().lower(), _MISSING)
    if to == "time":
        return _time(value, text)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return _MISSING
    if text is not None and not (_INTEGER if to == "integer" else _NUMBER).fullmatch(text):
        return _MISSING
    if to == "integer":
        return int(text if text is not None else value) if text or float(value).is_integer() else _MISSING
    number = value if text is None else int(text) if _INTEGER.fullmatch(text) else float(text)
    # JSON has no infinity, which a number such as 1e999 becomes.
    return _MISSING if number in (math.inf, -math.inf) else number


def _time(value: Any, text: str | None) -> Any:
    """Return seconds or milliseconds since 1970, or a time in ISO 8601, as RFC 3339."""
    try:
        if text is not None and not _NUMBER.fullmatch(text):
            moment = datetime.fromisoformat(text)
        elif isinstance(value, bool):
            return _MISSING
        else:
            number = float(value)
            moment = datetime.fromtimestamp(number if number < _LATEST_SECONDS else number / 1000, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return _MISSING
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat().replace("+00:00", "Z")
