"""JSON objects, one by one: of JSON Lines, of an array, of a list within an object, or one after another."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

import orjson

from schemas.errors import InvalidFile
from schemas.formats.extras import required_extra
from schemas.formats.joined import joined
from schemas.formats.row import Row

MAX_LINE = 8 * 1024 * 1024
"""Longest line that is read at once. A file that begins with a longer one is streamed."""


def json_rows(stream: BinaryIO, lists: tuple[str, ...] = ()) -> Iterator[Row]:
    """Read the objects of a file.

    If the first line is complete JSON, each line is read alone, and a broken line is one faulty row. Else the
    file is streamed by ijson: an array, an object with one of `lists`, or objects one after another.

    Args:
        stream: The file in UTF-8, without a byte order mark.
        lists: Keys of an object whose list holds the rows, such as `products`.

    Yields:
        One row per object. The elements of arrays are numbered from 1.

    Raises:
        InvalidFile: The JSON of a file that is not in lines is broken, so that nothing more can be read.
    """
    first, number = b"\n", 0
    while first and first.isspace():
        first = stream.readline(MAX_LINE)
        number += 1
    used: set[str] = set()
    if isinstance(_loads(first), dict | list):
        yield from _lines(chain([first], _line_iterator(stream)), number, lists, used)
    elif first:
        head = first + stream.read(64 * 1024)
        yield from _streamed(joined(head, stream), head, lists, used)


def _line_iterator(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE):
        yield line


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return None


def _lines(lines: Iterator[bytes], number: int, lists: tuple[str, ...], used: set[str]) -> Iterator[Row]:
    for place, line in enumerate(lines, number):
        if line.isspace():
            continue
        try:
            value = orjson.loads(line)
        except ValueError as error:
            yield Row(f"line {place}", {}, used, f"is not JSON ({error})")
            continue
        elements = _elements(value, lists)
        if elements is None:
            yield _row(f"line {place}", value, used)
            continue
        for position, element in enumerate(elements, 1):
            yield _row(f"line {place}, item {position}", element, used)


def _elements(value: Any, lists: tuple[str, ...]) -> list[Any] | None:
    """The rows that an array, or an object with one of `lists`, stands for; None if it is a row itself."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return next((value[key] for key in lists if isinstance(value.get(key), list)), None)
    return None


def _row(place: str, value: Any, used: set[str]) -> Row:
    if isinstance(value, dict):
        return Row(place, value, used)
    return Row(place, {}, used, "is JSON, but no object")


def _streamed(stream: BinaryIO, head: bytes, lists: tuple[str, ...], used: set[str]) -> Iterator[Row]:
    with required_extra("Reading JSON that is not in lines"):
        import ijson
    prefix = "item" if head.lstrip()[:1] == b"[" else _prefix(head, lists)
    values = ijson.items(stream, prefix, use_float=True, multiple_values=True)
    number = 0
    while True:
        try:
            value = next(values)
        except StopIteration:
            return
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise InvalidFile(
                f"after item {number}: the JSON is broken or cut off ({str(error).strip().splitlines()[0]})"
            ) from error
        number += 1
        yield _row(f"item {number}", value, used)


def _prefix(head: bytes, lists: tuple[str, ...]) -> str:
    """The ijson prefix of the rows of an object: its list, or the object itself."""
    for key in lists:
        if re.search(rb'"' + key.encode() + rb'"\s*:\s*\[', head):
            return f"{key}.item"
    return ""
