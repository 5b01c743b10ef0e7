"""Names of Google's categories in nine languages, and sellers' words for their products."""

import gzip
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from models.shipped import PRETRAINED

LANGUAGES_BY_NAMES = ("de", "fr", "es", "it", "pt", "nl", "pl", "ja", "ko")
"""The languages whose listings are classified by names."""
_FOLDER = PRETRAINED / "languages"
_NAMES = _FOLDER / "category_names.tsv.gz"
_SELLER_WORDS = _FOLDER / "seller_words.tsv"
_DESCRIBING_WORDS = _FOLDER / "describing_words.tsv"


class NamedCategory(NamedTuple):
    """A category with a name.

    Attributes:
        google_id: The category's id in Google's tree.
        text: The name, or a seller's word.
        is_seller_word: Whether it is a seller's word.
    """

    google_id: int
    text: str
    is_seller_word: bool


@lru_cache(1)
def _rows() -> tuple[list[list[str]], list[list[str]]]:
    names = [line.split("\t") for line in gzip.decompress(_NAMES.read_bytes()).decode().splitlines()]
    words = [line.split("\t") for line in _SELLER_WORDS.read_text(encoding="utf-8").splitlines()[1:]]
    return names, words


def named_categories(language: str) -> Iterator[NamedCategory]:
    """Yield the names and sellers' words of a language."""
    names, words = _rows()
    column = names[0].index(language)
    for row in names[1:]:
        if row[column]:
            yield NamedCategory(int(row[0]), row[column], False)
    for number, code, text in words:
        if code == language:
            yield NamedCategory(int(number), text, True)


def describing_words(language: str) -> frozenset[str]:
    """The forms of colors, materials, patterns and the like, which say little of the category."""
    lines = _DESCRIBING_WORDS.read_text(encoding="utf-8").splitlines()[1:]
    return frozenset(word for code, word in (line.split("\t") for line in lines) if code == language)
