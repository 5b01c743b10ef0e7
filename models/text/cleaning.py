"""Text as people type it, made calm: one cleaned form to classify, one same-length form to point into.

Nothing here raises for any `str`: NUL bytes, lone surrogates, markup and endless titles included.
"""

import html
import re
import unicodedata

MAX_CHARACTERS = 2000
"""How much of a text is read; product titles are far shorter, and the rest rarely names the product."""

_BREAK = "\n"
"""Between a cleaned title and its description: neither has one."""
_TAG = re.compile(r"<[/!]?[a-zA-Z][^<>]{0,500}>")
# Controls, surrogates, zero-width and direction marks, private use, the replacement character, and from plane
# 14 on invisible tags.
_NOISE = re.compile(
    "[\x00-\x20\x7f-\xa0\ud800-\udfff\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ue000-\uf8ff\ufffd"
    "\U000e0000-\U0010ffff]+"
)
# What stands within words unseen: soft hyphens, joiners, variation selectors.
_WITHIN_WORDS = re.compile("[\u00ad\u034f\u180e\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]+")
# Letters of scripts from Cyrillic on; Greek ones stand in English titles too, as in `10 μm`.
_FOREIGN = re.compile("[\u0400-\u1cff\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0x2019: "'"}


def clean(text: str) -> str:
    """The form that is classified: no markup, NFKC, lower case, single spaces, at most `MAX_CHARACTERS`."""
    text = text[: 2 * MAX_CHARACTERS]
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _NOISE.sub(" ", _WITHIN_WORDS.sub("", text)))
    return _NOISE.sub(" ", text.lower())[:MAX_CHARACTERS].strip()


def described(title: str, description: str) -> str:
    """One text of a cleaned title and what else a listing says, also cleaned."""
    return f"{title}{_BREAK}{description}"


def parts(text: str) -> tuple[str, str]:
    """The title and the description of a text; the latter is empty for a title alone."""
    title, _, description = text.partition(_BREAK)
    return title, description


def is_terse(text: str) -> bool:
    """Whether a cleaned title is at most two words, or four Chinese characters: a mere name, perhaps."""
    return len(text) <= 4 if is_chinese(text) else text.count(" ") < 2


def is_foreign(text: str) -> bool:
    """Whether a cleaned text holds letters that an encoder of English does not read, such as Chinese ones."""
    return not text.isascii() and _FOREIGN.search(text) is not None


def is_chinese(text: str) -> bool:
    """Whether a cleaned text holds Chinese characters; words in Latin letters may stand between them."""
    return not text.isascii() and _CHINESE.search(text) is not None


def fold(text: str) -> str:
    """Lower case and half width with every character at its place: `len(fold(text)) == len(text)`.

    Spans found in the result are spans of the original text.
    """
    folded = text.lower()
    if folded.isascii() and len(folded) == len(text):
        return folded
    if len(folded) != len(text):
        folded = "".join(low if len(low := character.lower()) == 1 else character for character in text)
    return folded.translate(_FULL_WIDTH)
