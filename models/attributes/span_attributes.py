"""What a span tagger finds in a title, as attributes: which spans count, and their values in unified form."""

from collections.abc import Mapping, Sequence

from models.attributes.quantities import Found, find_measures
from models.attributes.span_decoding import Span
from models.text.lexicon import Lexicon

LEAST_CONFIDENCE = 0.8
"""Spans that were less often right on calibration titles are not published."""
MOST_CONFIDENCE = 0.9
"""Calibration titles are of two shops; a span in another shop's title is not surer than this."""
_ATTRIBUTES = {
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
"""The attribute of each kind, the head that says more first."""


def marked_attributes(folded: str, spans: Mapping[str, Sequence[Span]], lexicon: Lexicon) -> list[Found]:
    """The spans that are sure enough, none overlapping another, in order.

    A colour or material comes by its unified name where the lexicon has one. A specification that is a
    measure or a number of pieces is left to `models.attributes.quantities`.

    Args:
        folded: The title as `models.text.cleaning.fold` returns it.
        spans: By head, as `SpanTagger.tag` returns them.
        lexicon: Words for colours and materials.
    """
    found: list[Found] = []
    told: list[tuple[str | None, Span]] = []
    for head, names in _ATTRIBUTES.items():
        for span in spans.get(head, ()):
            name = names.get(span.kind)
            if name is None or span.score < LEAST_CONFIDENCE:
                continue
            taken = [(each.start, each.end) for each in found]
            taken += [(other.start, other.end) for said, other in told if said != name]
            if any(start < span.end and span.start < end for start, end in taken):
                continue
            value = _value(folded[span.start : span.end], name, lexicon)
            if value:
                confidence = min(span.score, MOST_CONFIDENCE)
                found.append(Found(name, value, span.start, span.end, confidence))
        # Where the first head says one thing, however unsure, the next does not say another.
        told += [(names.get(span.kind), span) for span in spans.get(head, ())]
    return sorted(found, key=lambda item: item.start)


def _value(text: str, name: str, lexicon: Lexicon) -> str:
    """The unified form of a span's text; empty where it says nothing as an attribute of that name."""
    text = text.strip()
    if name in ("colour", "material"):
        entries = [hit.entry for hit in lexicon.find(text)]
        named = [entry.value for entry in entries if entry.attribute == name and entry.value]
        return named[0] if named else "" if entries else text
    if name == "specification" and find_measures(text, 1.0):
        return ""
    return text
