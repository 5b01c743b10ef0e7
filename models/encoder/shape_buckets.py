"""The few shapes that a GPU is given, so that none has to be prepared for anew; like lengths go together.

Pure: lengths go in, and a plan of batches comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Shape(NamedTuple):
    """So many texts of so many tokens, padding included."""

    texts: int
    tokens: int


class Batch(NamedTuple):
    """Texts that run together, by their number, and the shape that they are padded to."""

    members: list[int]
    shape: Shape


@dataclass(frozen=True)
class ShapeBuckets:
    """All shapes that there are: each number of texts with each number of tokens.

    Attributes:
        texts: Ascending.
        tokens: Ascending; no text may have more than the last.
    """

    texts: tuple[int, ...] = (1, 4, 16, 64, 256)
    tokens: tuple[int, ...] = (8, 12, 16, 24, 32, 64)

    def __post_init__(self) -> None:
        for sizes in (self.texts, self.tokens):
            if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"sizes of buckets are at least 1 and ascending, not {sizes}")

    def shapes(self) -> list[Shape]:
        """All of them, the smallest first."""
        return [Shape(texts, tokens) for tokens in self.tokens for texts in self.texts]

    def plan(self, lengths: Sequence[int]) -> list[Batch]:
        """Batches that hold each text once.

        Args:
            lengths: How many tokens each text has.

        Raises:
            ValueError: A text is longer than any bucket.
        """
        by_tokens: dict[int, list[int]] = {}
        for text in sorted(range(len(lengths)), key=lengths.__getitem__):
            by_tokens.setdefault(_least(self.tokens, lengths[text]), []).append(text)
        return [
            Batch(members, Shape(_least(self.texts, len(members)), tokens))
            for tokens, texts in by_tokens.items()
            for members in self._cut(texts)
        ]

    def _cut(self, texts: list[int]) -> list[list[int]]:
        """Full buckets, the largest first, until what is left would leave less than half of one empty."""
        cut = []
        while texts:
            fitting = [size for size in self.texts if size < 2 * len(texts)]
            size = fitting[-1] if fitting else self.texts[0]
            cut.append(texts[:size])
            texts = texts[size:]
        return cut


def padding_share(batches: Sequence[Batch], lengths: Sequence[int]) -> float:
    """The share of the tokens that are computed and belong to no text, in [0, 1)."""
    computed = sum(batch.shape.texts * batch.shape.tokens for batch in batches)
    return 1.0 - sum(lengths) / computed if computed else 0.0


def _least(sizes: Sequence[int], wanted: int) -> int:
    for size in sizes:
        if size >= wanted:
            return size
    raise ValueError(f"{wanted} tokens are more than the largest bucket's {sizes[-1]}: cut the texts")
