"""Converts the spans of a title to attributes: selects spans, and normalizes their values."""

from collections.abc import Mapping, Sequence

from models.attributes.attribute_match import AttributeMatch
from models.attributes.quantities import find_quantities
from models.attributes.span_decoding import Span
from models.text.lexicon import Lexicon

MIN_CONFIDENCE = 0.8
"""Spans of a lower precision on the calibration titles are not published."""
MAX_CONFIDENCE = 0.9
"""The maximum confidence, because the calibration titles come from two shops only."""
_ATTRIBUTE_OF_KIND = {
    "jd": {
        "product": "product",
        "brand": "brand",
        "model": "model",
        "colour": "colour",
        "material": "material",
        "function": "function",
        "style": "style",
        "usage": "usage",
        "audience": "audience",
        "specification": "specification",
        "fits_brand": "fits_brand",
        "fits_model": "fits_model",
    },
    "taobao": {"product": "product", "brand": "brand", "model": "model"},
}
"""The attribute of each kind of span, by head. The head with more kinds comes first and has priority."""


def attributes_of_spans(
    folded: str, spans: Mapping[str, Sequence[Span]], lexicon: Lexicon
) -> list[AttributeMatch]:
    """Select spans of sufficient confidence that do not overlap, and normalize their values.

    Colors and materials get the normalized name of the lexicon, if it has one. Specifications that are
    quantities or numbers of pieces are left to `models.attributes.quantities`.

    Args:
        folded: The title as `models.text.cleaning.fold` returns it.
        spans: Spans by head, as `SpanTagger.tag` returns them.
        lexicon: Names of colors and materials.

    Returns:
        Matches in order of their position.
    """
    matches: list[AttributeMatch] = []
    earlier: list[tuple[str | None, Span]] = []
    for head, names in _ATTRIBUTE_OF_KIND.items():
        for span in spans.get(head, ()):
            name = names.get(span.kind)
            if name is None or span.score < MIN_CONFIDENCE:
                continue
            taken = [(match.start, match.end) for match in matches]
            taken += [(other.start, other.end) for other_name, other in earlier if other_name != name]
            if any(start < span.end and span.start < end for start, end in taken):
                continue
            value = _value(folded[span.start : span.end], name, lexicon)
            if value:
                confidence = min(span.score, MAX_CONFIDENCE)
                matches.append(AttributeMatch(name, value, span.start, span.end, confidence))
        # A span of an earlier head, of any confidence, excludes overlapping spans of another attribute.
        earlier += [(names.get(span.kind), span) for span in spans.get(head, ())]
    return sorted(matches, key=lambda match: match.start)


def _value(text: str, name: str, lexicon: Lexicon) -> str:
    """Return the normalized value of a span's text, or an empty string if it is no value of the attribute."""
    text = text.strip()
    if name in ("colour", "material"):
        entries = [hit.entry for hit in lexicon.find(text)]
        named = [entry.value for entry in entries if entry.attribute == name and entry.value]
        return named[0] if named else "" if entries else text
    if name == "specification" and find_quantities(text, 1.0):
        return ""
    return text
