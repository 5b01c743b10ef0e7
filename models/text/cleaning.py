"""Text normalization: `clean` for classification, `fold` (length-preserving) for evidence spans.

No function raises for any `str`, also not for NUL bytes, lone surrogates, markup and very long titles.
"""

import html
import re
import unicodedata

from models.text.traditional_chinese import to_simplified

MAX_CHARACTERS = 2000
"""The most characters of a cleaned text. Titles are far shorter; the rest rarely names the product."""

_BREAK = "\n"
"""Separates a cleaned title from its description; neither contains it."""
_TAG = re.compile(r"<[/!]?[a-zA-Z][^<>]{0,500}>")
# Controls, surrogates, zero-width and direction marks, private use, the replacement character, and the
# invisible tags from plane 14 on.
_NOISE = re.compile(
    "[\x00-\x20\x7f-\xa0\ud800-\udfff\u2028-\u2029\u202f\u2065-\u206f\ufeff\ue000-\uf8ff\ufffd"
    "\U000e0000-\U0010ffff]+"
)
# Invisible characters within words: soft hyphens, joiners, zero-width spaces, direction marks, variation
# selectors. And signs of trademarks, which NFKC would turn into letters of the word before them.
_WITHIN_WORDS = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\u2120\u2122\u00a9\u00ae]+"
)
# Letters of the scripts from Cyrillic on. Greek letters occur in English titles too, as in `10 μm`.
_FOREIGN = re.compile("[\u0400-\u1cff\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0x2019: "'"}


def clean(text: str) -> str:
    """Normalize a text for classification.

    Returns:
        The text without markup, in NFKC, lower case and simplified Chinese, with single spaces, of at most
        `MAX_CHARACTERS`.
    """
    text = text[: 2 * MAX_CHARACTERS]
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if not text.isascii():
        text = to_simplified(unicodedata.normalize("NFKC", _NOISE.sub(" ", _WITHIN_WORDS.sub("", text))))
    return _NOISE.sub(" ", text.lower())[:MAX_CHARACTERS].strip()


def join_description(title: str, description: str) -> str:
    """Join a cleaned title and a cleaned description to one text for a classifier."""
    return f"{title}{_BREAK}{description}"


def split_description(text: str) -> tuple[str, str]:
    """The title and the description of a text; the description is empty if the text is a title alone."""
    title, _, description = text.partition(_BREAK)
    return title, description


def is_terse(text: str) -> bool:
    """Whether a cleaned title has at most two words, or at most four Chinese characters."""
    return len(text) <= 4 if is_chinese(text) else text.count(" ") < 2


def is_foreign(text: str) -> bool:
    """Whether a cleaned text has letters that an encoder of English does not read, such as Chinese ones."""
    return not text.isascii() and _FOREIGN.search(text) is not None


def is_chinese(text: str) -> bool:
    """Whether a cleaned text has Chinese characters; it may have Latin letters too."""
    return not text.isascii() and _CHINESE.search(text) is not None


def fold(text: str) -> str:
    """Convert a text to lower case, half width and simplified Chinese, character by character.

    Returns:
        A text of the same length, so that spans in it are spans of the original.
    """
    folded = text.lower()
    if folded.isascii() and len(folded) == len(text):
        return folded
    if len(folded) != len(text):
        folded = "".join(low if len(low := character.lower()) == 1 else character for character in text)
    return to_simplified(folded).translate(_FULL_WIDTH)
