"""Computes features and seen n-grams of a title in one pass, as bytes, fast enough to supply a GPU.

The numbers are those of `Featurizer.rows` and `SeenNgrams.coverage`; tests compare them. The bytes of each
word are cached, so that a title's rows are joined instead of copied number by number.
"""

from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.text.features import MAX_ROWS, feature_hash, stem, tokens, word_features

_CACHED_WORDS = 1 << 18
_LONGEST_CACHED = 24
_BYTES = 4


class PackedFeatures(NamedTuple):
    """The features of a title.

    Attributes:
        rows: Rows of the student's table, as little-endian int32.
        coverage: As `SeenNgrams.coverage`.
    """

    rows: bytes
    coverage: float


class _Word(NamedTuple):
    """The cached features of one word.

    Attributes:
        rows: The rows of the word's own features, as bytes.
        stem: The word's stem, as bytes.
        left: The CRC-32 of the stem and a space, with which the hash of a pair starts; -1 if the word forms
            no pairs.
        counts: Whether the word counts in the coverage.
        seen: Whether the word is a seen n-gram.
    """

    rows: bytes
    stem: bytes
    left: int
    counts: bool
    seen: bool


class PackedFeaturizer:
    """Converts cleaned titles to `PackedFeatures`. Thread-safe: threads only add to the cache or empty it.

    Args:
        hashes: The feature hashes of row 1, 2, …, uint32, shape [rows - 1].
        seen: The hashes of the seen n-grams, uint32.
    """

    def __init__(self, hashes: npt.NDArray[np.uint32], seen: npt.NDArray[np.uint32]) -> None:
        rows = np.arange(1, len(hashes) + 1, dtype="<i4").tobytes()
        self._row_of = {
            value: rows[_BYTES * place : _BYTES * (place + 1)] for place, value in enumerate(hashes.tolist())
        }
        self._seen = frozenset(seen.tolist())
        self._words = _WordCache(self._row_of, self._seen)

    def read(self, title: str) -> PackedFeatures:
        """The features of a cleaned title."""
        rows: list[bytes] = []
        hashes: list[int] = []
        left, counted, seen_words, last = -1, 0, 0, b""
        # This loop takes most of the time of a title, so it makes only one pass.
        for own, root, own_left, counts, seen in map(self._words.__getitem__, tokens(title)):
            rows.append(own)
            if own_left >= 0:
                if left >= 0:
                    hashes.append(crc32(root, left))
                left, last = own_left, root
                counted += counts
                seen_words += seen
        coverage = 0.0
        if left >= 0:
            hashes.append(crc32(last + b"$"))
            row_of = self._row_of
            rows += [row_of[value] for value in hashes if value in row_of]
            if counted:
                seen_pairs = sum(map(self._seen.__contains__, hashes))
                coverage = 0.5 * (seen_words / counted + seen_pairs / len(hashes))
        return PackedFeatures(b"".join(rows)[: _BYTES * MAX_ROWS], coverage)


class _WordCache(dict[str, _Word]):
    """The features of words, computed at the first lookup."""

    def __init__(self, row_of: dict[int, bytes], seen: frozenset[int]) -> None:
        super().__init__()
        self._row_of, self._seen = row_of, seen

    def __missing__(self, word: str) -> _Word:
        hashes = map(feature_hash, word_features(word))
        root = stem(word)
        encoded = root.encode("utf-8", "replace")
        counts = "a" <= word[0] <= "z"
        features = _Word(
            rows=b"".join(self._row_of.get(value, b"") for value in hashes),
            stem=encoded,
            left=crc32(encoded + b" ") if word[0] <= "z" else -1,
            counts=counts,
            seen=counts and feature_hash(f"~{root}") in self._seen,
        )
        if len(self) >= _CACHED_WORDS:
            self.clear()
        if len(word) <= _LONGEST_CACHED:
            self[word] = features
        return features
