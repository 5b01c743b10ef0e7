"""How many of a title's words a model has met: the first thing that another kind of shop changes."""

import re

import numpy as np
import numpy.typing as npt

from models.text.cleaning import clean
from models.text.features import feature_hash, tokens

_CACHED_WORDS = 1 << 16
_LONGEST_CACHED = 32
_READ = 24
"""Characters read of a title that is not ASCII: where each is a word, so many say enough."""
# A Chinese or Japanese character is a word by itself, as nothing parts them.
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\s\u3040-\u30ff\u3400-\u9fff]+")


class VocabularyCoverage:
    """Tells known words from others. Thread-safe: what it remembers is only ever added to or emptied.

    A Latin word is known if the vocabulary has the word itself, and not only pieces of it; a Chinese or
    Japanese character if it has that character. What is neither letters nor digits counts as known.

    Args:
        hashes: Shape [rows - 1], uint32: the feature hashes of a model's vocabulary, in any order.
    """

    def __init__(self, hashes: npt.NDArray[np.uint32]) -> None:
        self._share_of = _Remembered(np.sort(hashes))

    def share(self, title: str) -> float:
        """The share of the words of a title that are known, in [0, 1]; -1 for a title without words."""
        words = title.lower().split() if title.isascii() else _WORDS.findall(title[:_READ].lower())
        return sum(map(self._share_of.__getitem__, words)) / len(words) if words else -1.0


class _Remembered(dict[str, float]):
    """The share of each word's parts that are known: most are one part, `t-shirt` is two."""

    def __init__(self, hashes: npt.NDArray[np.uint32]) -> None:
        super().__init__()
        self._hashes = hashes

    def __missing__(self, word: str) -> float:
        parts = tokens(clean(word))
        share = sum(map(self._knows, parts)) / len(parts) if parts else 1.0
        if len(self) >= _CACHED_WORDS:
            self.clear()
        if len(word) <= _LONGEST_CACHED:
            self[word] = share
        return share

    def _knows(self, part: str) -> bool:
        # As `models.text.features.word_features` names them: digits and Chinese characters by themselves.
        name = part if part[0] <= "9" or part[0] >= "\u3040" else f"={part}"
        # Of the array's own type: any other would have the whole array converted.
        value = np.uint32(feature_hash(name))
        place = int(np.searchsorted(self._hashes, value))
        return place < len(self._hashes) and bool(self._hashes[place] == value)
