"""From cleaned text to the rows of the student's table: words, pairs of words and pieces of words.

A feature is a short string; its name in the artifact is its 32-bit CRC, so that the vocabulary is a plain
array of numbers and any language works without a word list. Features that the vocabulary lacks are dropped:
a text of unknown words yields few rows, and the student knows that it knows little.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from zlib import crc32

import numpy as np
import numpy.typing as npt

MAX_ROWS = 256
"""Rows kept of one text; a title has some 50."""

_TOKEN = re.compile(r"[a-z]+|[0-9]+|[\u3040-\u30ff\u3400-\u9fff]+|[^\W\d_]+")
_POSSESSIVE = re.compile(r"(?<=[a-z])['\u2019]s?(?![a-z])")
_WORD_CACHE = 1 << 18
_LONGEST_WORD = 24


def tokens(text: str) -> list[str]:
    """The runs of letters, of digits and of Chinese or Japanese characters of a cleaned text, in order."""
    if "'" in text or "\u2019" in text:
        text = _POSSESSIVE.sub("", text)
    return _TOKEN.findall(text)


def word_features(word: str) -> list[str]:
    """The features of one token.

    A Latin word: itself, its stem without a plural ending, and its pieces of 3 to 5 characters with `<`
    and `>` at the borders. A run of Chinese characters: its pieces of 1 to 3. Digits: themselves.
    """
    if word[0] >= "\u3040":
        return [word[i : i + size] for size in (1, 2, 3) for i in range(len(word) - size + 1)]
    if word[0] <= "9":
        return [word] if len(word) < 5 else []
    bounded = f"<{word[:_LONGEST_WORD]}>"
    pieces = {bounded[i : i + size] for size in (3, 4, 5) for i in range(len(bounded) - size + 1)}
    return [f"={word}", f"~{stem(word)}", *sorted(pieces)]


def stem(word: str) -> str:
    """The word without an English plural ending; other words as they are."""
    # Any run of letters is a word: only those that may be one are remembered.
    return _remembered_stem(word) if len(word) <= _LONGEST_WORD else _stem(word)


def _stem(word: str) -> str:
    if len(word) < 4 or word[-1] != "s" or word[-2] == "s":
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("shes", "ches", "xes", "sses")) or (word.endswith("oes") and len(word) > 5):
        return word[:-2]
    return word[:-1]


_remembered_stem = lru_cache(maxsize=1 << 16)(_stem)


def pair_features(words: Sequence[str]) -> list[str]:
    """Each pair of neighbouring words, by their stems, and the last word once more, as names end in nouns."""
    latin = [stem(word) for word in words if word[0] <= "z"]
    pairs = [f"{left} {right}" for left, right in pairwise(latin)]
    return [*pairs, f"{latin[-1]}$"] if latin else pairs


def text_features(text: str) -> list[str]:
    """All features of a cleaned text, with repetitions."""
    words = tokens(text)
    return [feature for word in words for feature in word_features(word)] + pair_features(words)


def feature_hash(feature: str) -> int:
    """The feature's name in the vocabulary: the CRC-32 of its UTF-8 bytes."""
    return crc32(feature.encode("utf-8", "replace"))


class Featurizer:
    """Turns cleaned texts into rows of a vocabulary; row 0 is the empty row that pads.

    Thread-safe: its cache of words is only ever added to or emptied.

    Args:
        hashes: Shape [rows - 1], uint32: the feature hashes of row 1, 2, ….
    """

    def __init__(self, hashes: npt.NDArray[np.uint32]) -> None:
        self._row_of = {int(value): row for row, value in enumerate(hashes, 1)}
        self._words: dict[str, tuple[int, ...]] = {}

    def rows(self, text: str) -> list[int]:
        """The rows of a cleaned text, at most `MAX_ROWS`; empty if it holds nothing known."""
        words = tokens(text)
        found: list[int] = []
        for word in words:
            known = self._words.get(word)
            found.extend(self._learn(word) if known is None else known)
        pairs = [crc32(feature.encode()) for feature in pair_features(words)]
        found.extend(self._row_of[value] for value in pairs if value in self._row_of)
        return found[:MAX_ROWS]

    def _learn(self, word: str) -> tuple[int, ...]:
        hashes = map(feature_hash, word_features(word))
        rows = tuple(row for value in hashes if (row := self._row_of.get(value)) is not None)
        if len(self._words) >= _WORD_CACHE:
            self._words.clear()
        if len(word) <= _LONGEST_WORD:
            self._words[word] = rows
        return rows


def pad(rows: Sequence[Sequence[int]]) -> npt.NDArray[np.int32]:
    """Stack lists of rows to shape [texts, longest list, at least 1], padded with row 0."""
    lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    padded = np.zeros((len(rows), max(1, int(lengths.max(initial=0)))), dtype=np.int32)
    mask = np.arange(padded.shape[1]) < lengths[:, None]
    padded[mask] = np.array(list(chain.from_iterable(rows)), dtype=np.int32)
    return padded
