"""Hashed features of cleaned texts: words, pairs of words and pieces of words.

A feature is a short string. The student's vocabulary is an array of the features' 32-bit CRCs, so that any
language works without a word list. Features that the vocabulary lacks are dropped.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from zlib import crc32

import numpy as np
import numpy.typing as npt

MAX_ROWS = 256
"""The most rows of one text; a title has about 50."""

_TOKEN = re.compile(r"[a-z]+|[0-9]+|[\u3040-\u30ff\u3400-\u9fff]+|[^\W\d_]+")
_POSSESSIVE = re.compile(r"(?<=[a-z])['\u2019]s?(?![a-z])")
_WORD_CACHE = 1 << 18
_LONGEST_WORD = 24


def tokens(text: str) -> list[str]:
    """Split a cleaned text into runs of letters, of digits, and of Chinese or Japanese characters."""
    if "'" in text or "\u2019" in text:
        text = _POSSESSIVE.sub("", text)
    return _TOKEN.findall(text)


def word_features(word: str) -> list[str]:
    """The features of one token.

    The features of a Latin word are the word, its stem without a plural ending, and its pieces of 3 to 5
    characters with `<` and `>` at the borders. Those of a run of Chinese characters are its pieces of 1 to 3
    characters. The feature of a number of up to four digits is the number.
    """
    if word[0] >= "\u3040":
        return [word[i : i + size] for size in (1, 2, 3) for i in range(len(word) - size + 1)]
    if word[0] <= "9":
        return [word] if len(word) < 5 else []
    bounded = f"<{word[:_LONGEST_WORD]}>"
    pieces = {bounded[i : i + size] for size in (3, 4, 5) for i in range(len(bounded) - size + 1)}
    return [f"={word}", f"~{stem(word)}", *sorted(pieces)]


def stem(word: str) -> str:
    """Remove an English plural ending from a word."""
    # Very long runs of letters are not words and would fill the cache.
    return _cached_stem(word) if len(word) <= _LONGEST_WORD else _stem(word)


def _stem(word: str) -> str:
    if len(word) < 4 or word[-1] != "s" or word[-2] == "s":
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("shes", "ches", "xes", "sses")) or (word.endswith("oes") and len(word) > 5):
        return word[:-2]
    return word[:-1]


_cached_stem = lru_cache(maxsize=1 << 16)(_stem)


def pair_features(words: Sequence[str]) -> list[str]:
    """The features of word order in Latin words, by their stems.

    Returns:
        Each pair of neighboring words, and the last word with `$`, because English names end in their noun.
    """
    latin = [stem(word) for word in words if word[0] <= "z"]
    pairs = [f"{left} {right}" for left, right in pairwise(latin)]
    return [*pairs, f"{latin[-1]}$"] if latin else pairs


def text_features(text: str) -> list[str]:
    """All features of a cleaned text, with repetitions."""
    words = tokens(text)
    return [feature for word in words for feature in word_features(word)] + pair_features(words)


def feature_hash(feature: str) -> int:
    """The feature's hash in the vocabulary: the CRC-32 of its UTF-8 bytes."""
    return crc32(feature.encode("utf-8", "replace"))


class Featurizer:
    """Converts cleaned texts to rows of a vocabulary. Row 0 is empty and serves as padding. Thread-safe.

    Args:
        hashes: The feature hashes of row 1, 2, …, shape [rows - 1], uint32.
    """

    def __init__(self, hashes: npt.NDArray[np.uint32]) -> None:
        self._row_of = {int(value): row for row, value in enumerate(hashes, 1)}
        self._words: dict[str, tuple[int, ...]] = {}

    def rows(self, text: str) -> list[int]:
        """The rows of a cleaned text's features that are in the vocabulary, at most `MAX_ROWS`."""
        words = tokens(text)
        found: list[int] = []
        for word in words:
            known = self._words.get(word)
            found.extend(self._word_rows(word) if known is None else known)
        pairs = [crc32(feature.encode()) for feature in pair_features(words)]
        found.extend(self._row_of[value] for value in pairs if value in self._row_of)
        return found[:MAX_ROWS]

    def _word_rows(self, word: str) -> tuple[int, ...]:
        """Compute and cache the rows of a word. Threads only add to the cache or empty it."""
        hashes = map(feature_hash, word_features(word))
        rows = tuple(row for value in hashes if (row := self._row_of.get(value)) is not None)
        if len(self._words) >= _WORD_CACHE:
            self._words.clear()
        if len(word) <= _LONGEST_WORD:
            self._words[word] = rows
        return rows


def pad(rows: Sequence[Sequence[int]]) -> npt.NDArray[np.int32]:
    """Pad lists of rows with row 0.

    Returns:
        Shape [texts, longest], where `longest` is at least 1.
    """
    lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    padded = np.zeros((len(rows), max(1, int(lengths.max(initial=0)))), dtype=np.int32)
    mask = np.arange(padded.shape[1]) < lengths[:, None]
    padded[mask] = np.array(list(chain.from_iterable(rows)), dtype=np.int32)
    return padded
