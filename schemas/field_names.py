"""Finds fields whose names are probably misspelled. Unknown fields are skipped, so a typo loses a field."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import fields

from schemas.events import Event

_SIMILARITY = 0.85
_CACHED_NAMES = 4096
_LONGEST_NAME = 60


class Misspelling(NamedTuple):
    """A field that the contract does not have.

    Attributes:
        written: Its name.
        meant: The field of the contract that it resembles.
    """

    written: str
    meant: str


_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])


def misspelled_fields(event: type[Event], value: bytes | None) -> list[Misspelling]:
    """Return the unknown fields of a value that resemble a field which the value does not have.

    Args:
        event: The type of the event.
        value: The record's value.

    Returns:
        The fields, in the order of the value. Empty for a value that is no JSON object.
    """
    if value is None:
        return []
    try:
        names = _NAMES.decode(value).keys()
    except (ValueError, RecursionError):
        return []
    return likely_misspelled(event, names) if not names <= _known(event) else []


def likely_misspelled(event: type[Event], names: Iterable[str]) -> list[Misspelling]:
    """Return those of a value's field names that resemble a field which the value does not have."""
    names = set(names) if not isinstance(names, set) else names
    found = []
    for name in sorted(names - _known(event)):
        meant = _resembled(event, name) if len(name) <= _LONGEST_NAME else None
        if meant is not None and meant not in names:
            found.append(Misspelling(name, meant))
    return found


@cache
def _known(event: type[Event]) -> frozenset[str]:
    return frozenset(field.name for field in fields(event))


@lru_cache(maxsize=_CACHED_NAMES)
def _resembled(event: type[Event], name: str) -> str | None:
    """Return the field of the contract that a name resembles: in other spelling, or with a typo."""
    plain = {_plain(known): known for known in sorted(_known(event))}
    matches = get_close_matches(_plain(name), plain, n=1, cutoff=_SIMILARITY)
    return plain[matches[0]] if matches else None


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
