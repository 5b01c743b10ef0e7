"""Units: equal quantities have the same value and unit, and factors equal those of pint."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.attributes.quantities import find_quantities
from models.attributes.units import format_quantity, read_units
from models.text.cleaning import fold
from models.training.attributes.unit_table import unit_rows


def sizes(text: str) -> list[tuple[str, str, str | None]]:
    found = find_quantities(fold(text), 0.9)
    return [(item.name, item.value, item.unit) for item in found if item.name in ("size", "pack_quantity")]


def test_the_table_of_units_equals_that_of_the_library() -> None:
    assert read_units() == {form: (unit, Decimal(factor)) for form, unit, factor in unit_rows()}


@pytest.mark.parametrize(
    "text", ["500 ML", "0.5 litre", "500毫升", "0,5 l", "50 cl", "５００ml", "500-ml bottle", "0.5升装"]
)
def test_equal_quantities_have_one_value(text: str) -> None:
    assert sizes(text) == [("size", "500", "ml")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16 oz", [("size", "453.592", "g")]),
        ("1 lb", [("size", "453.592", "g")]),
        ("12 fl oz", [("size", "354.882", "ml")]),
        ("1,000 g", [("size", "1000", "g")]),
        ("2斤装", [("size", "1000", "g")]),
        ("55 inch TV", [("size", "139.7", "cm")]),
        ("0 ml", []),
        ("6 x 330ml cola", [("size", "330", "ml"), ("pack_quantity", "6", "pieces")]),
        ("可乐330ml*24瓶", [("size", "330", "ml"), ("pack_quantity", "24", "pieces")]),
        ("10 x 20 cm", []),
        ("cable 2 m x 3", [("size", "200", "cm")]),
    ],
)
def test_quantities_and_packs(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert sizes(text) == expected


@given(st.decimals(min_value="0.00001", max_value="99999999", allow_nan=False, places=5))
def test_formatted_numbers_are_the_same_numbers(value: Decimal) -> None:
    """Numbers have six significant digits, without an exponent, a final dot or trailing zeros."""
    text = format_quantity(value)
    assert "e" not in text.lower()
    assert not text.endswith(".")
    assert not ("." in text and text.endswith("0"))
    assert abs(Decimal(text) - value) <= value * Decimal("5e-6")


@given(st.sampled_from(sorted(read_units().keys() - {"mg"})), st.integers(1, 999))
def test_every_form_of_every_unit_is_found_at_its_position(form: str, count: int) -> None:
    """A dose in `mg` is no size, and `m` and `w` need a thing that runs or is electric."""
    text = f"lamp cable {count} {form}"
    (found,) = (item for item in find_quantities(fold(text), 0.9) if item.name != "size")
    unit, factor = read_units()[form]
    assert (found.value, found.unit) == (format_quantity(count * factor), unit)
    assert text[found.start : found.end] == f"{count} {form}"
