"""Vocabulary coverage: the share of a title's words that the model's vocabulary has."""

import re

import numpy as np
import numpy.typing as npt

from models.text.cleaning import clean
from models.text.features import feature_hash, tokens

_CACHED_WORDS = 1 << 16
_LONGEST_CACHED = 32
_READ = 24
"""The most characters read of a title that is not ASCII; each may be a word, so these are enough."""
# A Chinese or Japanese character counts as a word, because no spaces separate words.
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\s\u3040-\u30ff\u3400-\u9fff]+")


class VocabularyCoverage:
    """Computes the vocabulary coverage of titles. Thread-safe: threads only add to its cache or empty it.

    A Latin word is known if the vocabulary has the whole word, and a Chinese or Japanese character if the
    vocabulary has that character. Words without letters and digits count as known.

    Args:
        hashes: The feature hashes of a model's vocabulary, in any order, shape [rows - 1], uint32.
    """

    def __init__(self, hashes: npt.NDArray[np.uint32]) -> None:
        self._word_coverage = _WordCoverageCache(np.sort(hashes))

    def of_title(self, title: str) -> float:
        """The share of a title's words that are known, in [0, 1]; -1 for a title without words."""
        words = title.lower().split() if title.isascii() else _WORDS.findall(title[:_READ].lower())
        return sum(map(self._word_coverage.__getitem__, words)) / len(words) if words else -1.0


class _WordCoverageCache(dict[str, float]):
    """The share of each word's parts that are known. Most words have one part; `t-shirt` has two."""

    def __init__(self, hashes: npt.NDArray[np.uint32]) -> None:
        super().__init__()
        self._hashes = hashes

    def __missing__(self, word: str) -> float:
        parts = tokens(clean(word))
        coverage = sum(map(self._is_known, parts)) / len(parts) if parts else 1.0
        if len(self) >= _CACHED_WORDS:
            self.clear()
        if len(word) <= _LONGEST_CACHED:
            self[word] = coverage
        return coverage

    def _is_known(self, part: str) -> bool:
        # `models.text.features.word_features` has no prefix for digits and Chinese characters.
        name = part if part[0] <= "9" or part[0] >= "\u3040" else f"={part}"
        # A value of another type would make numpy convert the whole array.
        value = np.uint32(feature_hash(name))
        index = int(np.searchsorted(self._hashes, value))
        return index < len(self._hashes) and bool(self._hashes[index] == value)
