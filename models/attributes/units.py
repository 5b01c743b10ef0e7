"""Units as titles write them, and the normalized unit of each dimension."""

from decimal import Decimal
from pathlib import Path

from models.shipped import PRETRAINED

SHIPPED_UNITS = PRETRAINED / "lexicons" / "units.tsv"
_SIGNIFICANT_DIGITS = 6


def read_units(path: Path = SHIPPED_UNITS) -> dict[str, tuple[str, Decimal]]:
    """Read the table of units.

    Args:
        path: A TSV file with a header line: form, normalized unit, factor.

    Returns:
        The normalized unit, and the factor to multiply by, by the form in folded titles.
    """
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return {form: (unit, Decimal(factor)) for form, unit, factor in rows}


def format_quantity(value: Decimal) -> str:
    """Format a quantity with at most six significant digits, without an exponent or trailing zeros."""
    if not value:
        return "0"
    rounded = round(value, _SIGNIFICANT_DIGITS - 1 - value.adjusted())
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
