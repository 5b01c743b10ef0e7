"""Pseudonyms in a record as its producer wrote it, for its dead letter.

Known fields with ids are replaced wherever they are in a JSON document, and every text that equals one of
these ids or the record's key. What no JSON decoder reads cannot be searched: such a value is left out.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from schemas.pseudonyms import SHOPPER_FIELDS

_NAMES = frozenset(re.sub("[^a-z]", "", name) for name in SHOPPER_FIELDS)
_JSON = msgspec.json.Decoder()


class PseudonymizedRecord(NamedTuple):
    """What a dead letter may keep of a record.

    Attributes:
        key: The key, as a pseudonym.
        value: The value with pseudonyms; None if there is none, or if it cannot be searched.
        ids: The ids that were found, each with its pseudonym.
    """

    key: bytes | None
    value: bytes | None
    ids: dict[str, str]


def pseudonymized(
    key: bytes | None, value: bytes | None, pseudonym_of: Callable[[str], str]
) -> PseudonymizedRecord:
    """Replace the ids of a record of user-behavior.

    Args:
        key: The record's key.
        value: The record's value.
        pseudonym_of: Returns the pseudonym of an id.
    """
    ids: dict[str, str] = {}
    if key is not None:
        text = key.decode("utf-8", "replace")
        ids[text] = pseudonym_of(text)
    document: Any = None
    if value is not None:
        try:
            document = _JSON.decode(value)
            for name in _ids(document):
                ids.setdefault(name, pseudonym_of(name))
            value = msgspec.json.encode(_replaced(document, ids, is_id=False))
        except (ValueError, RecursionError):
            value = None
    ids.pop("", None)
    return PseudonymizedRecord(None if key is None else pseudonym_of(text).encode(), value, ids)


def without_ids(text: str, ids: dict[str, str]) -> str:
    """Return a text, such as the message of an error, with pseudonyms in place of ids.

    Args:
        text: The text.
        ids: Ids, each with its pseudonym. They are found as whole words.
    """
    found = [re.escape(name) for name in sorted(ids, key=len, reverse=True)]
    if not found:
        return text
    return re.sub(rf"(?<![\w-])(?:{'|'.join(found)})(?![\w-])", lambda match: ids[match[0]], text)


def _is_id_field(name: Any) -> bool:
    return isinstance(name, str) and re.sub("[^a-z]", "", name.lower()) in _NAMES


def _text(node: Any) -> str | None:
    """Return an id as a text: producers write numbers too."""
    if isinstance(node, str):
        return node
    return str(node) if isinstance(node, int | float) and not isinstance(node, bool) else None


def _ids(node: Any, is_id: bool = False) -> Iterable[str]:
    """Yield the values of fields with ids."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _ids(value, _is_id_field(name))
    elif isinstance(node, list):
        for value in node:
            yield from _ids(value, is_id)
    elif is_id and (text := _text(node)) is not None:
        yield text


def _replaced(node: Any, ids: dict[str, str], is_id: bool) -> Any:
    if isinstance(node, dict):
        return {
            ids.get(name, name): _replaced(value, ids, _is_id_field(name)) for name, value in node.items()
        }
    if isinstance(node, list):
        return [_replaced(value, ids, is_id) for value in node]
    # A number that is no id may equal one by chance, such as a quantity.
    text = node if isinstance(node, str) else _text(node) if is_id else None
    return node if text is None else ids.get(text, node)
