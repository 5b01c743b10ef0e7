"""The beginning of a file, looked at in the ways by which formats recognize their files."""

import re
from functools import cached_property
from typing import Any

import orjson

from schemas.formats.csv_rows import split_header

HEAD_BYTES = 256 * 1024
"""Bytes of a file that are looked at."""

_TAG = re.compile(r"<(?![?!])([A-Za-z_][\w.:-]*)")
_OBJECTS = 5


class Head:
    """The first bytes of a file, decompressed and in UTF-8 without a byte order mark.

    Args:
        content: The bytes, at most `HEAD_BYTES`.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content[:HEAD_BYTES]

    @cached_property
    def text(self) -> str:
        """The text, without white space at its start."""
        return self.content.decode("utf-8", errors="replace").lstrip()

    @cached_property
    def is_json(self) -> bool:
        """Whether the file begins as a JSON object or array does."""
        return self.text[:1] in ("{", "[")

    @cached_property
    def is_markup(self) -> bool:
        """Whether the file begins as XML or HTML does."""
        return self.text[:1] == "<"

    @cached_property
    def is_html(self) -> bool:
        """Whether the markup is HTML."""
        return self.is_markup and bool(re.match(r"\s*(<!doctype html|<html|<head|<body)", self.text, re.I))

    @cached_property
    def columns(self) -> frozenset[str]:
        """The trimmed cells of the first line, if it is that of a delimited table; else nothing."""
        return frozenset(cell.strip() for cell in self.header)

    @cached_property
    def header(self) -> list[str]:
        """The cells of the first line in order, as `columns`; a file without a header has values here."""
        if self.is_json or self.is_markup:
            return []
        return split_header(self.text.partition("\n")[0].rstrip("\r"))[0]

    @cached_property
    def tags(self) -> list[str]:
        """The names of the first start tags of markup, with prefixes, at most 200."""
        if not self.is_markup:
            return []
        return [match[1] for _, match in zip(range(200), _TAG.finditer(self.text), strict=False)]

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The first complete JSON objects: of lines, of an array, or the one object that the file is."""
        if not self.is_json:
            return []
        lines = [self._loads(line) for line in self.text.split("\n", _OBJECTS)[:_OBJECTS] if line.strip()]
        objects = [line for line in lines if isinstance(line, dict)]
        return objects or self._from_document()

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of `objects`."""
        return frozenset(key for each in self.objects for key in each)

    def _from_document(self) -> list[dict[str, Any]]:
        """Objects of an array, or a single object, that may be longer than what is here."""
        whole = self._loads(self.text)
        if isinstance(whole, dict):
            return [whole]
        if isinstance(whole, list):
            return [each for each in whole[:_OBJECTS] if isinstance(each, dict)]
        return _leading_objects(self.text)

    @staticmethod
    def _loads(text: str) -> Any:
        try:
            return orjson.loads(text)
        except ValueError:
            return None


def _leading_objects(text: str) -> list[dict[str, Any]]:
    """Complete objects at the start of a JSON array that is cut off, or the start of an object, closed."""
    start = text.find("{")
    end = start
    found: list[dict[str, Any]] = []
    while start >= 0 and len(found) < _OBJECTS:
        end = _end_of_object(text, start)
        if end < 0:
            break
        value = Head._loads(text[start:end])
        if isinstance(value, dict):
            found.append(value)
        start = text.find("{", end)
    if not found and start >= 0:
        keys = re.findall(r'[{,]\s*"([^"\\]{1,60})"\s*:', text[start : start + 20_000])
        return [dict.fromkeys(keys)] if keys else []
    return found


_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]')


def _end_of_object(text: str, start: int) -> int:
    """The position after the brace that closes the object at `start`, or -1."""
    depth = 0
    for match in _STRUCTURE.finditer(text, start):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                return match.end()
    return -1
