"""How much of a text the shops' labelled titles have said before: whether memory may be trusted with it."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from models.text.features import feature_hash, pair_features, stem, tokens

OFTEN = 3
"""Titles that must have said something before it is familiar."""


class SeenNgrams:
    """Tells how familiar texts are. Thread-safe.

    Args:
        hashes: Of the words' stems and the pairs of them that labelled titles have often.
    """

    def __init__(self, hashes: npt.NDArray[np.uint32]) -> None:
        self._hashes = frozenset(hashes.tolist())

    def of(self, text: str) -> float:
        """The mean of two shares, of the words and of the pairs of a cleaned text that are familiar, 0 to 1.

        Only words in Latin letters count; 0 for a text without any.
        """
        words, pairs = _said(text)
        if not words:
            return 0.0
        return 0.5 * (self._share(words) + self._share(pairs))

    def _share(self, features: list[str]) -> float:
        return sum(feature_hash(feature) in self._hashes for feature in features) / len(features)


def seen_ngram_hashes(texts: Iterable[str]) -> npt.NDArray[np.uint32]:
    """What of cleaned labelled titles is familiar from then on; ascending."""
    seen = Counter(feature for text in texts for feature in {*_features(text)})
    hashes = {feature_hash(feature) for feature, count in seen.items() if count >= OFTEN}
    return np.array(sorted(hashes), dtype=np.uint32)


def _features(text: str) -> Iterator[str]:
    words, pairs = _said(text)
    yield from words
    yield from pairs


def _said(text: str) -> tuple[list[str], list[str]]:
    found = tokens(text)
    return [f"~{stem(word)}" for word in found if "a" <= word[0] <= "z"], pair_features(found)
