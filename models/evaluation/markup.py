"""Texts for a page: whatever a seller wrote, none of it becomes markup or turns the page around."""

import re
from html import escape

# Controls, surrogates, non-characters, and marks that change the direction of what follows.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def plain(text: str) -> str:
    """The text for a place in an element or a quoted attribute, of HTML and of XML."""
    return escape(_UNFIT.sub("\ufffd", text))
