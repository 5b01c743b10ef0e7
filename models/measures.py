"""Sizes and quantities: a number with its unit, a clothing size, a number of pieces."""

import re
from typing import NamedTuple


class Found(NamedTuple):
    """A value found at characters [start, end) of a field's text."""

    name: str
    value: str
    start: int
    end: int
    confidence: float
    unit: str | None = None


_UNITS = {
    "ml": ("ml", "毫升"),
    "l": ("l", "litre", "litres", "liter", "liters", "ltr", "升"),
    "mg": ("mg", "毫克"),
    "g": ("g", "gm", "gms", "gram", "grams", "克"),
    "kg": ("kg", "kgs", "千克", "公斤"),
    "lb": ("lb", "lbs", "pound", "pounds"),
    "oz": ("oz", "ounce", "ounces"),
    "fl oz": ("fl oz", "fl. oz", "fl.oz"),
    "mm": ("mm", "毫米"),
    "cm": ("cm", "cms", "厘米"),
    "m": ("m", "mtr", "mtrs", "meter", "meters", "metre", "metres", "米"),
    "in": ("in", "inch", "inches", "英寸", "寸"),
    "ft": ("ft", "feet"),
    "gb": ("gb",),
    "tb": ("tb",),
    "mah": ("mah", "毫安"),
    "w": ("w", "watt", "watts", "瓦"),
}
_UNIT_OF = {form: unit for unit, forms in _UNITS.items() for form in forms}
_MEASURE = re.compile(
    r"(?<![a-z0-9.])(\d{1,5}(?:[.,]\d{1,3})?)\s?-?\s?("
    + "|".join(re.escape(form) for form in sorted(_UNIT_OF, key=lambda form: (-len(form), form)))
    + r")(?![a-z0-9])"
)
_DIGIT = re.compile(r"\d")
_CLOTHING_SIZE = re.compile(
    r"\bsize[\s:=-]*(x{0,3}[sl]|m|[2-6]xl|\d{1,3}(?:\.5)?)\b|(?<![a-z0-9'-])(x{1,3}[sl]|[2-6]xl)(?![a-z0-9'-])"
)
_PACK = re.compile(
    r"\b(?:pack|set|box|combo|case|bundle) of (\d{1,4})\b|\b(\d{1,4})[ -]?(?:pack|pk|pcs|pieces?|count|ct)\b"
    r"|(?<![\d.])(\d{1,4})(?:片|包|盒|瓶|支|只|袋|罐|条|双|粒|件套|个)(?:装|入)?"
)


def find_measures(folded: str, confidence: float) -> list[Found]:
    """The first clothing size or else the first measure, and the first number of pieces, of a folded text.

    Values keep a decimal point; units are `ml`, `l`, `g`, `kg`, `oz`, `lb`, `cm`, `in`, `gb` and their like.
    """
    found: list[Found] = []
    if match := _CLOTHING_SIZE.search(folded):
        group = 1 if match.group(1) else 2
        found.append(Found("size", match.group(group).upper(), *match.span(group), confidence))
    if not _DIGIT.search(folded):
        return found
    if not found and (match := _MEASURE.search(folded)):
        value = match.group(1).replace(",", ".")
        found.append(Found("size", value, *match.span(), confidence, _UNIT_OF[match.group(2)]))
    if match := _PACK.search(folded):
        value = next(group for group in match.groups() if group)
        if int(value) > 1:
            found.append(Found("pack_quantity", str(int(value)), *match.span(), confidence, "pieces"))
    return found
