"""Units as titles write them, and the one unit of each dimension that values are given in."""

from decimal import Decimal
from pathlib import Path

from models.shipped import PRETRAINED

SHIPPED_UNITS = PRETRAINED / "lexicons" / "units.tsv"
_DIGITS = 6


def read_units(path: Path = SHIPPED_UNITS) -> dict[str, tuple[str, Decimal]]:
    """By the form in a folded title: the unit of its dimension, and what to multiply by."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return {form: (unit, Decimal(factor)) for form, unit, factor in rows}


def plain(value: Decimal) -> str:
    """A quantity in at most six significant digits, without an exponent or needless zeros."""
    if not value:
        return "0"
    rounded = round(value, _DIGITS - 1 - value.adjusted())
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
