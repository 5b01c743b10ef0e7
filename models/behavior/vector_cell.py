"""A cell of an inverted file: vectors that are near to each other, side by side."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.int8]
"""Quantized vectors, shape (n, dimensions)."""
_FIRST_CAPACITY = 32
_MOVES = 4
_LEAST_PART = 8


class Cell:
    """Vectors with their numbers, in rows [0, len) of arrays that grow.

    Attributes:
        vectors: int8, shape (capacity, dimensions).
        numbers: int32, shape (capacity,).
        squares: The squared lengths of the vectors, int32, shape (capacity,).
    """

    __slots__ = ("_count", "numbers", "squares", "vectors")

    def __init__(self, dimensions: int) -> None:
        self._count = 0
        self.vectors: Vectors = np.empty((_FIRST_CAPACITY, dimensions), dtype=np.int8)
        self.numbers = np.empty(_FIRST_CAPACITY, dtype=np.int32)
        self.squares = np.empty(_FIRST_CAPACITY, dtype=np.int32)

    def __len__(self) -> int:
        return self._count

    def extend(self, numbers: NDArray[np.int64], vectors: Vectors) -> None:
        """Append vectors."""
        end = self._count + len(numbers)
        if end > len(self.numbers):
            more = max(end, len(self.numbers) * 5 // 4) - len(self.numbers)
            self.vectors = np.concatenate(
                [self.vectors, np.empty((more, self.vectors.shape[1]), dtype=np.int8)]
            )
            self.numbers = np.concatenate([self.numbers, np.empty(more, dtype=np.int32)])
            self.squares = np.concatenate([self.squares, np.empty(more, dtype=np.int32)])
        self.vectors[self._count : end] = vectors
        self.numbers[self._count : end] = numbers
        self.squares[self._count : end] = (vectors.astype(np.int32) ** 2).sum(axis=1)
        self._count = end

    def remove(self, position: int) -> int:
        """Remove a vector and move the last one into its place.

        Returns:
            The number of the last vector.
        """
        self._count -= 1
        last = self._count
        for column in (self.vectors, self.numbers, self.squares):
            column[position] = column[last]
        return int(self.numbers[last])

    def halves(self) -> list[tuple[NDArray[np.float32], Self]]:
        """Split the cell into two cells of similar vectors, each with its center.

        Two centers move to the middle of the vectors that are nearest to them, a few times. Where nearly all
        vectors are alike, so that one part would stay as large as the cell, it is cut in the middle instead.
        """
        rows = self.vectors[: self._count].astype(np.float32)
        one = rows[(rows @ _center(rows)).argmin()]
        other = rows[(rows @ one).argmin()]
        for _ in range(_MOVES):
            lean = rows @ one - rows @ other
            first = lean >= 0
            if not 0 < np.count_nonzero(first) < len(rows):
                break
            one, other = _center(rows[first]), _center(rows[~first])
        lean = rows @ one - rows @ other
        first = lean >= 0
        if not len(rows) <= _LEAST_PART * np.count_nonzero(first) <= (_LEAST_PART - 1) * len(rows):
            first = np.zeros(len(rows), dtype=np.bool_)
            first[np.argsort(-lean, kind="stable")[: len(rows) // 2]] = True
        return [(_center(rows[part]), self._taken(part)) for part in (first, ~first)]

    def _taken(self, part: NDArray[np.bool_]) -> Self:
        cell = type(self)(self.vectors.shape[1])
        chosen = np.flatnonzero(part)
        cell.extend(self.numbers[chosen].astype(np.int64), self.vectors[chosen])
        return cell


def _center(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the direction of the sum of the rows as whole numbers from -127 to 127; shape (dimensions,)."""
    # Sums of a few thousand bytes are exact in float32 and float64 alike.
    total = rows.sum(axis=0, dtype=np.float64)
    length = np.sqrt((total**2).sum())
    center: NDArray[np.float32] = np.rint(127.0 * total / length if length else total).astype(np.float32)
    return center
