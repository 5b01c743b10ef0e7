"""Writes the table of units with conversion factors from the library `pint`.

Run `python -m models.training.attributes.unit_table` after a change of `FORMS`. A test compares both.
Needs the extra `train`.
"""

from pathlib import Path

import pint

from models.attributes.units import SHIPPED_UNITS

FORMS = {
    "milliliter": ("ml", "millilitre", "millilitres", "milliliter", "milliliters", "毫升"),
    "centiliter": ("cl",),
    "liter": ("l", "lt", "ltr", "ltrs", "litre", "litres", "liter", "liters", "升"),
    "fluid_ounce": ("fl oz", "fl. oz", "fl.oz", "floz", "fluid ounce", "fluid ounces"),
    "gallon": ("gallon", "gallons"),
    "milligram": ("mg", "毫克"),
    "gram": ("g", "gm", "gms", "gram", "grams", "克"),
    "kilogram": ("kg", "kgs", "kilogram", "kilograms", "kilo", "kilos", "千克", "公斤"),
    "jin": ("斤", "市斤"),
    "pound": ("lb", "lbs", "pound", "pounds"),
    "ounce": ("oz", "ounce", "ounces"),
    "millimeter": ("mm", "毫米"),
    "centimeter": ("cm", "cms", "centimetre", "centimetres", "centimeter", "centimeters", "厘米", "公分"),
    "meter": ("m", "mtr", "mtrs", "meter", "meters", "metre", "metres", "米"),
    "inch": ("in", "inch", "inches", "英寸", "寸"),
    "foot": ("ft", "feet"),
    "megabyte": ("mb",),
    "gigabyte": ("gb",),
    "terabyte": ("tb",),
    "milliampere_hour": ("mah", "毫安", "毫安时"),
    "watt": ("w", "watt", "watts", "瓦"),
    "kilowatt": ("kw", "千瓦"),
}
"""Spellings in titles of each of pint's units. 寸 is taken as inch, as in screen sizes."""

CANONICAL = {
    "milliliter": "ml",
    "gram": "g",
    "centimeter": "cm",
    "gigabyte": "gb",
    "milliampere_hour": "mah",
    "watt": "w",
}
"""The unit of each dimension that values are converted to, with its name in events."""


def unit_rows() -> list[tuple[str, str, str]]:
    """Spelling, unit in events, and conversion factor with nine significant digits, of each spelling."""
    registry: pint.UnitRegistry[float] = pint.UnitRegistry()
    registry.define("jin = 500 gram")
    rows = []
    for name, forms in FORMS.items():
        unit = registry.Unit(name)
        target = next(each for each in CANONICAL if unit.is_compatible_with(registry.Unit(each)))
        factor = registry.Quantity(1, unit).to(target).magnitude
        rows += [(form, CANONICAL[target], f"{factor:.9g}") for form in forms]
    return rows


def write_units(path: Path) -> None:
    """Write the table of units, tab-separated."""
    lines = ["form\tunit\tfactor", *("\t".join(row) for row in unit_rows())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_units(SHIPPED_UNITS)
