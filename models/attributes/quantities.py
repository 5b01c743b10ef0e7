"""Sizes and quantities: a number with its unit, a clothing size, a number of pieces."""

import re
from decimal import Decimal
from typing import NamedTuple

from models.attributes.units import plain, read_units


class Found(NamedTuple):
    """A value found at characters [start, end) of a field's text."""

    name: str
    value: str
    start: int
    end: int
    confidence: float
    unit: str | None = None


_UNITS = read_units()
_MEASURE = re.compile(
    r"(?<![a-z0-9.])(\d{1,5}(?:[.,]\d{1,3})?)\s?-?\s?("
    + "|".join(re.escape(form) for form in sorted(_UNITS, key=lambda form: (-len(form), form)))
    + r")(?![a-z0-9])"
)
_DIGITS = re.compile(r"\d+")
_CLOTHING_SIZE = re.compile(
    r"\bsize[\s:=-]*(x{0,3}[sl]|m|[2-6]xl|\d{1,3}(?:\.5)?)\b|(?<![a-z0-9'-])(x{1,3}[sl]|[2-6]xl)(?![a-z0-9'-])"
)
_PACK = re.compile(
    r"\b(?:pack|set|box|combo|case|bundle) of (\d{1,4})\b|\b(\d{1,4})[ -]?(?:pack|pk|pcs|pieces?|count|ct)\b"
    r"|(?<![\d.])(\d{1,4})(?:片|包|盒|瓶|支|只|袋|罐|条|双|粒|件套|个)(?:装|入)?"
)
_BY_PIECE = "(?:ml|cl|l|g|kg|oz|毫升|升|克|千克)"
_TIMES = re.compile(
    rf"(?<![\d.])(\d{{1,3}}\s?[x×*])\s?(?=\d{{1,5}}(?:\.\d+)?\s?{_BY_PIECE}(?![a-z]))"
    rf"|(?<=\d)\s?{_BY_PIECE}\s?([x×*]\s?\d{{1,3}})(?![\d.]|\s?[a-z])"
)
"""`6 x 330ml` and `330ml*6`: a number of pieces beside a volume or a mass, not one side of a length."""


def find_measures(folded: str, confidence: float) -> list[Found]:
    """The first clothing size or else the first measure, and the first number of pieces, of a folded text.

    Measures come in one unit for each dimension, `ml`, `g`, `cm`, `gb`, `mah` or `w`: `0.5 litre` and
    `500毫升` are one value.
    """
    found: list[Found] = []
    if match := _CLOTHING_SIZE.search(folded):
        group = 1 if match.group(1) else 2
        found.append(Found("size", match.group(group).upper(), *match.span(group), confidence))
    if not _DIGITS.search(folded):
        return found
    if not found and (match := _MEASURE.search(folded)):
        unit, factor = _UNITS[match.group(2)]
        value = _number(match.group(1)) * factor
        if value:
            found.append(Found("size", plain(value), *match.span(), confidence, unit))
    pack = _pieces(folded)
    if pack is not None:
        start, end = pack
        count = int("".join(_DIGITS.findall(folded[start:end])))
        if count > 1:
            found.append(Found("pack_quantity", str(count), start, end, confidence, "pieces"))
    return found


def _pieces(folded: str) -> tuple[int, int] | None:
    """Where a text says how many pieces there are."""
    if match := _TIMES.search(folded):
        return match.span(match.lastindex or 0)
    match = _PACK.search(folded)
    return match.span() if match else None


def _number(text: str) -> Decimal:
    """A comma before three digits groups thousands (`1,000 ml`), before fewer it is a decimal one."""
    whole, comma, rest = text.partition(",")
    return Decimal(whole + rest if len(rest) == 3 and whole != "0" else text.replace(comma or ",", "."))
