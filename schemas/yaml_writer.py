"""Writes plain data as YAML in block style, with literal blocks for prose and quotes where needed."""

import math
import re
from collections.abc import Iterator
from typing import Any

import orjson

# Narrower than YAML allows: everything but simple words and phrases is quoted.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./ -]*(?<! )")
_RESERVED_WORDS = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"])
# Characters that are not printable by YAML's rules are escaped in double quotes.
_UNPRINTABLE = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]"
# Lines of words with single spaces, and single empty lines: text that a literal block preserves.
_PROSE = re.compile(rf"{_VISIBLE}(?:(?: |\n{{1,2}})?{_VISIBLE})*")


def yaml_text(document: Any) -> str:
    """Write `document` as YAML 1.2 that YAML 1.1 parsers read the same way.

    Args:
        document: Dicts with string keys, lists, strings, finite numbers, booleans and None, arbitrarily
            nested.

    Returns:
        The YAML text, with a final newline.

    Raises:
        TypeError: The document contains a value of another type.
        ValueError: A number is not finite.
    """
    if isinstance(document, dict | list) and document:
        return "\n".join(_block(document, "")) + "\n"
    return _scalar(document) + "\n"


def _block(node: dict[str, Any] | list[Any], indent: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _entry(f"{indent}{_text(key)}:", value, indent + "  ")
        return
    for value in node:
        if isinstance(value, dict | list) and value:
            first, *rest = _block(value, indent + "  ")
            yield f"{indent}- {first.lstrip(' ')}"
            yield from rest
        else:
            yield from _entry(f"{indent}-", value, indent + "  ")


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from _block(value, indent)
    elif isinstance(value, str) and "\n" in value and _PROSE.fullmatch(value):
        yield f"{head} |-"
        yield from (f"{indent}{line}" if line else "" for line in value.split("\n"))
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"cannot write the number {value}: it is not finite")
        text = repr(value)
        # YAML 1.1 reads `1e-05` as a string, because its floats need a point.
        return text if "." in text else text.replace("e", ".0e")
    if value in ({}, []):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as YAML")


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED_WORDS:
        return text
    quoted = orjson.dumps(text).decode()
    return _UNPRINTABLE.sub(lambda match: _escape(match[0]), quoted)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
