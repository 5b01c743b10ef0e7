"""Which category names stand in a title: `t shirt` and `tshirts` for `T-Shirts`, but not `shirt`."""

import re
from collections.abc import Sequence

from models.text.cleaning import is_chinese

_WORD = re.compile(r"[^\W_]+(?:'s)?")
_MOST_WORDS = 4
_LEAST_CHINESE = 2


def names_in(title: str, names: Sequence[str]) -> list[bool]:
    """Whether each name stands in a title.

    A name within a longer one of `names` that stands there too does not count: `socks` in `crew socks`.

    Args:
        title: A cleaned title.
        names: Cleaned names of categories; an empty one stands in no title.
    """
    if is_chinese(title):
        found = {name for name in names if len(name) >= _LEAST_CHINESE and name in title}
        keys = list(names)
    else:
        runs = _runs(title)
        keys = [_key(name) for name in names]
        found = {key for key in keys if key and key in runs}
    longest = {key for key in found if not any(key != other and key in other for other in found)}
    return [key in longest for key in keys]


def _runs(title: str) -> frozenset[str]:
    """The joined words of each run of words in a title."""
    words = [_singular(word) for word in _WORD.findall(title)]
    return frozenset(
        "".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, min(start + _MOST_WORDS, len(words)) + 1)
    )


def _key(name: str) -> str:
    return "".join(_singular(word) for word in _WORD.findall(name))


def _singular(word: str) -> str:
    """A word without the endings of a plural or a genitive."""
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("shes", "ches", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
