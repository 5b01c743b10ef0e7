"""BERT's uncased WordPiece tokenization (Devlin et al., 2019), for encoders of that family."""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import StopWorker

PADDING, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
_LONGEST_WORD = 100
_CACHED_WORDS = 1 << 16


class WordPiece:
    """Tokenizes cleaned texts. Thread-safe.

    Args:
        path: The vocabulary, one token per line. The line number, from 0, is the token's id.
        longest: The most ids of one text, including those of its start and end.

    Attributes:
        tokens: The vocabulary, in the order of its ids.

    Raises:
        StopWorker: The file cannot be read, or it lacks the special tokens.
    """

    def __init__(self, path: Path, longest: int) -> None:
        try:
            # `splitlines` would also split at other line separators, which may be tokens.
            tokens = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise StopWorker(f"Cannot read the vocabulary {path}: {error}.") from error
        self.tokens = tokens
        self._ids = {token: number for number, token in enumerate(tokens)}
        missing = [token for token in (PADDING, UNKNOWN, START, END) if token not in self._ids]
        if missing:
            raise StopWorker(f"The vocabulary {path} lacks {', '.join(missing)}: it is not BERT's.")
        self._longest = longest
        self._word = lru_cache(maxsize=_CACHED_WORDS)(self._split)

    def ids(self, text: str) -> list[int]:
        """The token ids of a text, with those of the start and end tokens."""
        found = [number for word in _words(text) for number in self._pieces(word)]
        return [self._ids[START], *found[: self._longest - 2], self._ids[END]]

    def batch(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Tokenize several texts.

        Returns:
            Token ids, padded at the end, and a mask that is 1 for a token; both of shape [texts, longest].
        """
        rows = [self.ids(text) for text in texts]
        ids = np.full((len(rows), max(map(len, rows), default=0)), self._ids[PADDING], dtype=np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        mask = np.arange(ids.shape[1]) < np.array([len(row) for row in rows])[:, None]
        return ids, mask.astype(np.int64)

    def _pieces(self, word: str) -> tuple[int, ...]:
        # Very long runs of letters are not words and would fill the cache.
        return self._word(word) if len(word) <= _LONGEST_WORD else (self._ids[UNKNOWN],)

    def _split(self, word: str) -> tuple[int, ...]:
        """Split a word greedily into its longest tokens; the unknown token if that fails."""
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                number = self._ids.get(("##" if start else "") + word[start:end])
                if number is not None:
                    pieces.append(number)
                    start = end
                    break
            else:
                return (self._ids[UNKNOWN],)
        return tuple(pieces)


def _words(text: str) -> Iterator[str]:
    """Yield runs of letters and digits without accents, and punctuation marks and ideographs one by one."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    word = ""
    for character in text.lower():
        if character.isspace() or unicodedata.category(character)[0] == "C":
            alone = ""
        elif _is_punctuation(character) or "\u3400" <= character <= "\u9fff":
            alone = character
        else:
            word += character
            continue
        if word:
            yield word
            word = ""
        if alone:
            yield alone
    if word:
        yield word


def _is_punctuation(character: str) -> bool:
    # As in BERT, each ASCII character that is neither letter nor digit counts, such as $ and +.
    if character.isascii():
        return not character.isalnum()
    return unicodedata.category(character)[0] == "P"
