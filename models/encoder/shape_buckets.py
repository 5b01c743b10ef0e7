"""Plans the batches of a GPU: texts of similar length together, padded to one of a few fixed shapes.

A fixed set of shapes lets a backend prepare memory and kernels once for each shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Shape(NamedTuple):
    """A batch's numbers of texts and of tokens per text, padding included."""

    texts: int
    tokens: int


class Batch(NamedTuple):
    """The indices of texts that run together, and the shape to which they are padded."""

    members: list[int]
    shape: Shape


@dataclass(frozen=True)
class ShapeBuckets:
    """The allowed shapes: each number of texts with each number of tokens.

    Attributes:
        texts: Numbers of texts, ascending.
        tokens: Numbers of tokens per text, ascending. No text may have more tokens than the last.

    Raises:
        ValueError: The numbers are not ascending or not at least 1.
    """

    texts: tuple[int, ...] = (1, 4, 16, 64, 256)
    tokens: tuple[int, ...] = (8, 12, 16, 24, 32, 64)

    def __post_init__(self) -> None:
        for sizes in (self.texts, self.tokens):
            if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"sizes of buckets are at least 1 and ascending, not {sizes}")

    def shapes(self) -> list[Shape]:
        """All shapes, ordered by tokens and then by texts."""
        return [Shape(texts, tokens) for tokens in self.tokens for texts in self.texts]

    def plan(self, lengths: Sequence[int]) -> list[Batch]:
        """Split texts into batches.

        Args:
            lengths: The number of tokens of each text.

        Returns:
            Batches that together hold each text once.

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
        """Cut texts into full buckets, the largest first; the last bucket is more than half full."""
        cut = []
        while texts:
            fitting = [size for size in self.texts if size < 2 * len(texts)]
            size = fitting[-1] if fitting else self.texts[0]
            cut.append(texts[:size])
            texts = texts[size:]
        return cut


def _least(sizes: Sequence[int], wanted: int) -> int:
    for size in sizes:
        if size >= wanted:
            return size
    raise ValueError(f"{wanted} tokens are more than the largest bucket's {sizes[-1]}: cut the texts")
