"""Finds sizes and quantities: a number with a unit, a clothing size, a number of pieces."""

import re
from decimal import Decimal

from models.attributes.attribute_match import AttributeMatch
from models.attributes.units import format_quantity, read_units

_UNITS = read_units()
_QUANTITY = re.compile(
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
_PIECE_UNITS = "(?:ml|cl|l|g|kg|oz|毫升|升|克|千克)"
_TIMES = re.compile(
    rf"(?<![\d.])(\d{{1,3}}\s?[x×*])\s?(?=\d{{1,5}}(?:\.\d+)?\s?{_PIECE_UNITS}(?![a-z]))"
    rf"|(?<=\d)\s?{_PIECE_UNITS}\s?([x×*]\s?\d{{1,3}})(?![\d.]|\s?[a-z])"
)
"""A number of pieces beside a volume or a mass (`6 x 330ml`, `330ml*6`), but not two lengths (`2 m x 3`)."""


def find_quantities(folded: str, confidence: float) -> list[AttributeMatch]:
    """Find the size and the number of pieces in a text.

    Args:
        folded: The text as `models.text.cleaning.fold` returns it.
        confidence: The confidence of the matches, in [0, 1].

    Returns:
        At most one `size`, the first clothing size or else the first quantity, and at most one
        `pack_quantity`. Quantities have one unit for each dimension, `ml`, `g`, `cm`, `gb`, `mah` or `w`, so
        `0.5 litre` and `500毫升` have the same value.
    """
    matches: list[AttributeMatch] = []
    if match := _CLOTHING_SIZE.search(folded):
        group = 1 if match.group(1) else 2
        matches.append(AttributeMatch("size", match.group(group).upper(), *match.span(group), confidence))
    if not _DIGITS.search(folded):
        return matches
    if not matches and (match := _QUANTITY.search(folded)):
        unit, factor = _UNITS[match.group(2)]
        value = _number(match.group(1)) * factor
        if value:
            matches.append(AttributeMatch("size", format_quantity(value), *match.span(), confidence, unit))
    pack = _pieces(folded)
    if pack is not None:
        start, end = pack
        count = int("".join(_DIGITS.findall(folded[start:end])))
        if count > 1:
            matches.append(AttributeMatch("pack_quantity", str(count), start, end, confidence, "pieces"))
    return matches


def _pieces(folded: str) -> tuple[int, int] | None:
    """Return the span of the first number of pieces, or None."""
    if match := _TIMES.search(folded):
        return match.span(match.lastindex or 0)
    match = _PACK.search(folded)
    return match.span() if match else None


def _number(text: str) -> Decimal:
    """Parse a number. A comma before three digits separates thousands (`1,000 ml`), otherwise decimals."""
    whole, comma, rest = text.partition(",")
    return Decimal(whole + rest if len(rest) == 3 and whole != "0" else text.replace(comma or ",", "."))
