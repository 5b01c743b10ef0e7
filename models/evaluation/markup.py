"""Escaping of untrusted text for HTML and SVG, including characters that change the text direction."""

import re
from html import escape

# Controls, surrogates, non-characters, and marks that change the direction of the following text.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def plain(text: str) -> str:
    """Escape a text for an element or a quoted attribute of HTML or XML."""
    return escape(_UNSAFE.sub("\ufffd", text))
