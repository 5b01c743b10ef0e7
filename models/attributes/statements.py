"""Finds the parts of a description that state an attribute of the product: `Color: black`, `made of linen`.

The rest of a description says what goes with the product, what it holds or how it is meant.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from models.attributes.attribute_match import AttributeMatch
from models.attributes.confidences import description_confidence
from models.attributes.quantities import find_quantities

DESCRIBED = ("colour", "material", "dimensions", "weight", "pack_quantity")
"""The attributes that a description may give: their precision was shown by reading 200 values of each."""
_LABELS = {
    "colour": r"(?:base |main |primary |frame )?colou?rs?(?: name| way|way)?",
    "material": r"(?:outer |main |upper |frame |body |shell )?(?:materials?|fabric|composition)"
    "(?: type| content)?",
}
_QUANTITY_LABELS = {
    r"size|net weight|net wt\.?|net content": frozenset({"weight", "dimensions", "pack_quantity"}),
    r"dimensions?|measurements?|measures": frozenset({"dimensions"}),
    r"weight|wt\.?": frozenset({"weight"}),
}
_ABOUT = (
    r"(?: \((?:approx\.?|approximately|l ?x ?w ?x ?h|w ?x ?h ?x ?d|w ?x ?d ?x ?h|lxwxh|"
    r"cm|in|inches|kg|g)\)| approx\.?)?"
)
_NOT_OWN = re.compile(
    r"\b(?:packag(?:e|ing)|shipping|box|carton|parcel|folded|strap|heel|handle|cable|cord|sleeve|"
    r"shoulder|band|dial|"
    r"pendant|chain|lining|sole|insole|pocket|zip|zipper|lens|ink|text|lace|trim|inner|screen|bust|chest|"
    r"waist|font|"
    r"packing|model's|model|wearing|max|maximum|minimum|load|lid|base|form|tip|case|paper|print|printing|"
    r"image|seat|back|filler|filling|fill|cushion|bezel|stone|buckle|other|available|serving|portion|"
    r"capacitor|"
    r"file|page|cache|disk|heap|virtual|video|graphics|drop|reel|mesh|arm|leg|user|body|person|input|cup|"
    r"shoe|"
    r"gem|gemstone|diamond|stone|gold|cover|sheet|center|mount|closure|hardware|pot)\W{0,2}$"
)
_LABELED = {
    name: re.compile(rf"(?:^|(?<=[\s,;|•*(.–-]))(?:{label})\s?[:=]\s*([^\n;|•]{{1,70}})")
    for name, label in _LABELS.items()
}
_QUANTITY_LABELED = [
    (
        re.compile(
            r"(?:^|(?<=[\s,;|•*(.–-]))((?:(?:item|product|overall|total|approx\.?|approximate|unit) )?"
            rf"(?:{label})s?{_ABOUT}\s?[:=]\s*[^\n;|•]{{1,60}})"
        ),
        names,
    )
    for label, names in _QUANTITY_LABELS.items()
]
_NEXT_LABEL = re.compile(r"(?<!\S)[^\s:]+\s?[:=]|\.\s|\.$|\b(?:with|that|which)\b")
_MADE_OF = re.compile(
    r"\b(?:(?:made|crafted|constructed|manufactured|woven|knitted|built|handmade|handcrafted|fabricated|"
    r"formed|cut)"
    r"(?: up)?(?: entirely| completely)? (?:of|from|out of)|comprised of)\s+([^\n;.|,()]{1,48})"
)
_PERCENT = re.compile(r"(?<![\d.,])(?:100|[1-9]\d?)\s?%\s?((?:[a-z]+[\s-]){0,2}[a-z]+)")
_PART_BEFORE = re.compile(
    r"\b(?:lining|lined|filling|fill|filler|sole|soles|insole|strap|straps|trim|zipper|pocket|pockets|"
    r"handles?|lid|base|"
    r"inner|back|interliner|embroidery|panel|insert|connector|coating|mesh|toys?|packaging|wheels?|"
    r"drawer|legs?|label|contrast|ribs?|bottles?|box|"
    r"cushions?)\b[^\n.;]{0,24}$"
)
_CLAUSE_END = re.compile(r"\b(?:with|that|which|to|for|so|featuring|is|are|by|in|designed|while|but|on)\b")
_EACH = re.compile(r"\.?,?\s?(?:each|apiece)\b")
_PACK_OF = re.compile(
    r"(?<![a-z0-9-])((?:pack|set|box) of \d{1,4}(?!\d|\.\d|[\s-]?(?:oz|ounces?|lbs?|pounds?|g|kg|ml)\b)|"
    r"(?:quantity|pack of|sales package)\s?:\s*\d{1,4}\s?(?:pieces|pcs|pack))\b"
)


class Statement(NamedTuple):
    """A part of a text that states an attribute.

    Attributes:
        attribute: The attribute.
        start: Index of the first character of the stated value.
        end: Index after the last character.
    """

    attribute: str
    start: int
    end: int

    def states(self, attribute: str, start: int, end: int) -> bool:
        """Whether the characters [start, end) are part of a statement of an attribute."""
        return attribute == self.attribute and self.start <= start and end <= self.end


def find_statements(folded: str) -> Iterator[Statement]:
    """Yield the statements of a description.

    Args:
        folded: The description, without markup, as `models.text.cleaning.fold` returns it.
    """
    if ":" in folded or "=" in folded:
        for name, pattern in _LABELED.items():
            for match in pattern.finditer(folded):
                if not _NOT_OWN.search(folded[max(0, match.start() - 24) : match.start()]):
                    yield _cut(name, folded, *match.span(1), _NEXT_LABEL)
    for pattern in (_MADE_OF, _PERCENT):
        for match in pattern.finditer(folded):
            if not _PART_BEFORE.search(folded[max(0, match.start() - 40) : match.start()]):
                yield _cut("material", folded, *match.span(1), _CLAUSE_END)


def find_stated_quantities(folded: str) -> list[AttributeMatch]:
    """Return the quantities that a description states; of several different values of one attribute, none.

    Args:
        folded: The description, without markup, as `models.text.cleaning.fold` returns it.
    """
    found: dict[str, list[AttributeMatch]] = {}
    for match, names in _labeled_quantities(folded):
        label = match.group(1).partition(":")[0].strip()
        start = match.start(1)
        cut = _cut("size", folded, start + len(label) + 1, match.end(1), _NEXT_LABEL)
        for item in find_quantities(folded[start : cut.end], 1.0):
            if item.name in names and not (item.name == "weight" and _EACH.match(folded, start + item.end)):
                confidence = description_confidence(item.name)
                placed = item._replace(start=item.start + start, end=item.end + start)
                found.setdefault(item.name, []).append(placed._replace(confidence=confidence))
    return [items[0] for items in found.values() if len({item.value for item in items}) == 1]


def _labeled_quantities(folded: str) -> Iterator[tuple[re.Match[str], frozenset[str]]]:
    has_labels = ":" in folded or "=" in folded
    for pattern, names in _QUANTITY_LABELED if has_labels else ():
        for match in pattern.finditer(folded):
            if not _NOT_OWN.search(folded[max(0, match.start() - 24) : match.start()]):
                yield match, names
    for match in _PACK_OF.finditer(folded):
        yield match, frozenset({"pack_quantity"})


def _cut(name: str, folded: str, start: int, end: int, stop: re.Pattern[str]) -> Statement:
    found = stop.search(folded, start, end)
    return Statement(name, start, found.start() if found else end)
