"""Seen n-grams: the words and word pairs that occur in the training titles, and their share in a text."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from models.text.features import feature_hash, pair_features, stem, tokens

MIN_TITLES = 3
"""Training titles that must have an n-gram before it counts as seen."""


class SeenNgrams:
    """Measures how much of a text the training titles cover. Thread-safe.

    Args:
        hashes: Hashes of the seen word stems and pairs of stems, as `seen_ngram_hashes` returns them.
    """

    def __init__(self, hashes: npt.NDArray[np.uint32]) -> None:
        self._hashes = frozenset(hashes.tolist())

    def coverage(self, text: str) -> float:
        """The mean of two shares in [0, 1]: of the words and of the word pairs that are seen.

        Args:
            text: A cleaned text. Only words in Latin letters count; without any, the result is 0.
        """
        words, pairs = _ngrams(text)
        if not words:
            return 0.0
        return 0.5 * (self._seen_share(words) + self._seen_share(pairs))

    def _seen_share(self, features: list[str]) -> float:
        return sum(feature_hash(feature) in self._hashes for feature in features) / len(features)


def seen_ngram_hashes(texts: Iterable[str]) -> npt.NDArray[np.uint32]:
    """The hashes of the n-grams that at least `MIN_TITLES` texts have.

    Args:
        texts: Cleaned titles of the training set.

    Returns:
        Hashes, ascending.
    """
    seen = Counter(feature for text in texts for feature in {*_features(text)})
    hashes = {feature_hash(feature) for feature, count in seen.items() if count >= MIN_TITLES}
    return np.array(sorted(hashes), dtype=np.uint32)


def _features(text: str) -> Iterator[str]:
    words, pairs = _ngrams(text)
    yield from words
    yield from pairs


def _ngrams(text: str) -> tuple[list[str], list[str]]:
    """The stems of a text's Latin words, and its pair features."""
    found = tokens(text)
    return [f"~{stem(word)}" for word in found if "a" <= word[0] <= "z"], pair_features(found)
