"""Finds sizes and quantities: dimensions, numbers with units by what they measure, clothing sizes, pieces.

A text with several different quantities of one kind gives none of them, since none is the product's own.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import NamedTuple

from models.attributes.attribute_match import AttributeMatch
from models.attributes.dimensions import Dimensions, find_dimensions
from models.attributes.pieces import clothing_size, pack_quantity
from models.attributes.quantity_kinds import kind_of
from models.attributes.units import format_quantity, read_units

QUANTITIES = (
    "size", "dimensions", "volume", "weight", "length", "screen_size", "power", "battery", "memory",
    "storage", "pack_quantity",
)  # fmt: skip
"""The attributes that `find_quantities` finds."""
_SIZES = ("volume", "weight", "length", "screen_size")
_UNITS = read_units() | {mark: ("cm", Decimal("2.54")) for mark in ('"', "”", "″", "''")}
_QUANTITY = re.compile(
    r"(?<![a-z0-9.,/$£€₹#'])(\d{1,5}(?:[.,]\d{1,3})?)(?:\s?-?\s?("
    + "|".join(re.escape(form) for form in sorted(read_units(), key=lambda form: (-len(form), form)))
    + r")(?![a-z0-9])|([\"”″]|''))"
)
_DIGITS = re.compile(r"\d")
_MINOR_UNITS = {"lb": "oz", "lbs": "oz", "pound": "ounce", "pounds": "ounces", "ft": "in", "feet": "inches"}
_MINOR_UNITS |= {"kg": "g", "m": "cm"}
_TOLERANCE = Decimal("0.06")
"""The largest relative difference between two writings of one quantity (`16 oz (450 g)`)."""


class _Quantity(NamedTuple):
    kind: str
    value: Decimal
    unit: str
    start: int
    end: int


def find_quantities(folded: str, confidence: float) -> list[AttributeMatch]:
    """Find the quantities of a text.

    Args:
        folded: The text as `models.text.cleaning.fold` returns it.
        confidence: The confidence of the matches, in [0, 1].

    Returns:
        At most one match of each of `QUANTITIES`. `size` is the clothing size, or else the first volume,
        weight, length or screen size of a text without dimensions; it has the same value as the attribute of
        that kind. Quantities have one unit for each kind, so `0.5 litre` and `500毫升` have the same value.
    """
    clothing = clothing_size(folded)
    matches = [AttributeMatch("size", *clothing, confidence)] if clothing else []
    if not _DIGITS.search(folded):
        return matches
    dimensions = find_dimensions(folded, _UNITS)
    stated = [item for item in dimensions if item.sides]
    if stated and all(_equal(item.sides, stated[0].sides) for item in stated):
        first = stated[0]
        matches.append(AttributeMatch("dimensions", first.value, first.start, first.end, confidence, "cm"))
    quantities = _unambiguous(list(_quantities(folded, dimensions)))
    sizes = [item for item in quantities if item.kind in _SIZES]
    if sizes and not clothing and not dimensions:
        matches.append(_match("size", min(sizes, key=lambda item: item.start), confidence))
    matches += [_match(item.kind, item, confidence) for item in quantities]
    if pieces := pack_quantity(folded):
        matches.append(AttributeMatch("pack_quantity", *pieces, confidence, "pieces"))
    return matches


def _quantities(folded: str, dimensions: list[Dimensions]) -> Iterator[_Quantity]:
    """Yield the single quantities outside dimensions; `2 lbs, 8 oz` is one."""
    matches = [match for match in _QUANTITY.finditer(folded) if not _is_inside(match, dimensions)]
    skipped = False
    for match, following in zip_longest(matches, matches[1:]):
        if skipped:
            skipped = False
            continue
        number, form = match.group(1), match.group(2) or match.group(3)
        if match.group(3) in ('"', "''") and folded.count(match.group(3), 0, match.start()) % 2:
            continue  # the end of a quotation
        unit, factor = _UNITS[form]
        value, end = _number(number) * factor, match.end()
        if following is not None and _is_minor(folded, match, following):
            value += _number(following.group(1)) * _UNITS[following.group(2)][1]
            end, skipped = following.end(), True
        kind = kind_of(folded, number, form, unit, match.start(), end)
        if value and kind is not None:
            yield _Quantity(kind, value, unit, match.start(), end)


def _is_inside(match: re.Match[str], dimensions: list[Dimensions]) -> bool:
    return any(item.start < match.end() and match.start() < item.end for item in dimensions)


def _is_minor(folded: str, match: re.Match[str], following: re.Match[str]) -> bool:
    """Whether a quantity continues the one before: ounces after pounds, inches after feet."""
    minor, form = _MINOR_UNITS.get(match.group(2) or ""), following.group(2)
    between = folded[match.end() : following.start()]
    return (
        minor is not None
        and form is not None
        and _UNITS[form] == _UNITS[minor]
        and between in (" ", ", ", "")
    )


def _unambiguous(quantities: list[_Quantity]) -> list[_Quantity]:
    """Return the first quantity of each kind whose quantities are all equal."""
    by_kind: dict[str, list[_Quantity]] = {}
    for item in quantities:
        by_kind.setdefault(item.kind, []).append(item)
    return [
        items[0]
        for items in by_kind.values()
        if all(_equal((item.value,), (items[0].value,)) for item in items)
    ]


def _equal(values: tuple[Decimal, ...], others: tuple[Decimal, ...]) -> bool:
    return len(values) == len(others) and all(
        abs(value - other) <= _TOLERANCE * other for value, other in zip(values, others, strict=True)
    )


def _match(name: str, item: _Quantity, confidence: float) -> AttributeMatch:
    return AttributeMatch(name, format_quantity(item.value), item.start, item.end, confidence, item.unit)


def _number(text: str) -> Decimal:
    """Parse a number. A comma before three digits separates thousands (`1,000 ml`), otherwise decimals."""
    whole, comma, rest = text.partition(",")
    return Decimal(whole + rest if len(rest) == 3 and whole != "0" else text.replace(comma or ",", "."))
