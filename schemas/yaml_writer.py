"""Write plain data as YAML that people read: block style, literal blocks for prose, quotes where needed."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

# Deliberately narrower than YAML allows: what does not look like a harmless word or phrase is quoted.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./ -]*(?<! )")
_WORDS_WITH_MEANING = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"])
# Printable by YAML's rules; everything else is escaped in double quotes.
_UNPRINTABLE = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]"
# Lines of words with single spaces between them, and single empty lines: what a literal block shows as it is.
_PROSE = re.compile(rf"{_VISIBLE}(?:(?: |\n{{1,2}})?{_VISIBLE})*")


def yaml_text(document: Any) -> str:
    """Write `document` as YAML 1.2 that YAML 1.1 readers read alike.

    Args:
        document: dicts with text keys, lists, text, finite numbers, booleans and None, nested at will.

    Returns:
        The text, with a final newline.

    Raises:
        TypeError: there is something else in it.
        ValueError: a number is not finite.
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
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in a contract")
        text = repr(value)
        # YAML 1.1 reads `1e-05` as text: its floats need a point.
        return text if "." in text else text.replace("e", ".0e")
    if value in ({}, []):
        return json.dumps(value)
    raise TypeError(f"cannot write {type(value).__name__} as YAML")


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_WITH_MEANING:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: _escape(found[0]), quoted)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
