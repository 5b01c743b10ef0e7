"""The head noun of an English title: the last noun of its first phrase, which says what the thing is.

The words before it say what it looks like or is for: a `toothpaste tube pen` is a pen.
"""

import re
from functools import lru_cache

from models.shipped import PRETRAINED
from models.text.features import stem

LONGEST = 3
"""The most words of a head noun."""
_WORDS = PRETRAINED / "lexicons" / "words.tsv"
_PHRASE_ENDS = re.compile(
    r"[,;(\[|]|\s(?:[-\u2013\u2014]|w/|for|with|without|of|in|by|from|to|on)\s|\s[a-z]*[0-9][a-z0-9]*\b"
)
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
_SIZES = frozenset({"assorted", "asst", "mini", "small", "medium", "large", "big", "xl", "xs", "size"})
_COUNTS = frozenset({"pack", "set", "pair", "pcs", "piece", "pieces"})


def head_nouns(text: str) -> list[str]:
    """The last words of a cleaned title's first phrase, in the singular, without sizes and colors.

    Returns:
        At most `LONGEST` candidates, the longest first; none for a title of one word or without Latin words.
    """
    phrase = _PHRASE_ENDS.split(text, maxsplit=1)[0]
    words = _WORD.findall(phrase)
    while words and (words[-1] in _SIZES or words[-1] in _COUNTS or words[-1] in _colors()):
        words.pop()
    if len(words) < 2:
        return []
    words[-1] = stem(words[-1])
    return [" ".join(words[-count:]) for count in range(min(LONGEST, len(words)), 0, -1)]


@lru_cache(1)
def _colors() -> frozenset[str]:
    """The words that end the name of a color."""
    rows = [line.split("\t") for line in _WORDS.read_text(encoding="utf-8").splitlines()[1:]]
    return frozenset(row[2].split()[-1] for row in rows if row[0] == "colour" and row[1] and row[2].isascii())
