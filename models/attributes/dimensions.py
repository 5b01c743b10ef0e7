"""Finds dimensions: two or three lengths of one thing, such as `25.5 x 15 x 8 cm` or `10" W x 12" H`."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from models.attributes.units import format_quantity

_NUMBER = r"\d{1,4}(?:[.,]\d{1,3})?"
_UNIT = r"(?:cms?|mm|m|inch(?:es)?|in|ft|feet|centimet(?:er|re)s?|厘米|毫米|公分|米|英寸|寸|[\"”″]|'')\.?"
_SIDE_LETTER = r"(?:\(?[lwhd]\)?(?![a-z])|wide|high|deep|long|tall)"
_SIDE = rf"({_NUMBER})\s?-?({_UNIT})?\s?(?:{_SIDE_LETTER})?"
_TIMES = r"\s{0,2}(?:[x×*]|by)\s{0,2}"
_DIMENSIONS = re.compile(
    rf"(?<![a-z0-9.,/$£€₹:])(?<!/\s)(?:{_SIDE_LETTER}\s?)?{_SIDE}{_TIMES}(?:{_SIDE_LETTER}\s?)?{_SIDE}"
    rf"(?:{_TIMES}(?:{_SIDE_LETTER}\s?)?{_SIDE})?(?![a-z0-9]|[.,]\d|\s?/\s?\d)"
)
_NOT_OWN_BEFORE = re.compile(
    r"(?:for|fits?|holds?|up\s?to|max(?:imum)?|packag(?:e|ing)(?: size| dimensions?)?|carton|"
    r"shipping)\s?:?\s*$|(?:[\d)\"”]|\d\s?(?:cm|mm|m|in|inch|inches|ft)|[\"”)\s][lwhd])\s*[x×*]\s*$|[-–]$"
)
_NOT_OWN_AFTER = re.compile(
    r"\s?(?:[x×*]\s?\d|[-–~]\s?\d|pixels?|px|dpi|zoom|circumference|diam|photos?\b|prints?\b|paper|sheets?\b)"
)
_OPTICAL = re.compile(r"\b(?:binoculars?|monocular|scope|zoom|magnif\w+|lens)\b|望远镜")
_MAX_PIECES = 10
_MAX_RATIO = 3


class Dimensions(NamedTuple):
    """The lengths of a thing's sides, and where a text states them.

    Attributes:
        sides: The lengths in cm, as written; empty if the text does not say them surely.
        start: Index of the first character.
        end: Index after the last character.
    """

    sides: tuple[Decimal, ...]
    start: int
    end: int

    @property
    def value(self) -> str:
        """The lengths as events give them: `25.5 x 15 x 8`."""
        return " x ".join(map(format_quantity, self.sides))


def find_dimensions(folded: str, units: Mapping[str, tuple[str, Decimal]]) -> list[Dimensions]:
    """Find all dimensions of a text.

    Args:
        folded: The text as `models.text.cleaning.fold` returns it.
        units: The normalized unit and the factor by the form of a unit.

    Returns:
        The dimensions in order of their position. Dimensions without sides exclude other quantities from
        their span.
    """
    found = []
    for match in _DIMENSIONS.finditer(folded):
        numbers = [Decimal(text.replace(",", ".")) for text in match.group(1, 3, 5) if text]
        forms = [(text or "").rstrip(".") for text in match.group(2, 4, 6)][: len(numbers)]
        sides = _sides(numbers, forms, units) if _is_own(folded, match.start(), match.end()) else ()
        if sides or len(numbers) == 3 or not any(forms):
            found.append(Dimensions(sides, *match.span()))
    return found


def _sides(
    numbers: list[Decimal], forms: list[str], units: Mapping[str, tuple[str, Decimal]]
) -> tuple[Decimal, ...]:
    if not forms[-1] or not all(numbers):
        return ()
    if len(numbers) == 2 and not forms[0]:
        first, second = numbers
        is_count = first == int(first) and first <= _MAX_PIECES
        if is_count and (forms[1] in ("m", "米") or second > _MAX_RATIO * first):
            return ()  # pieces of one length
    factors = [units.get(form or forms[-1], units.get("inch", ("", Decimal(0))))[1] for form in forms]
    return tuple(number * factor for number, factor in zip(numbers, factors, strict=True))


def _is_own(folded: str, start: int, end: int) -> bool:
    return not (
        _NOT_OWN_BEFORE.search(folded[max(0, start - 30) : start])
        or _NOT_OWN_AFTER.match(folded[end : end + 12])
        or _OPTICAL.search(folded)
    )
