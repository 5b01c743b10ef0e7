"""The vectors of texts that came or went, until somebody has found out whose neighbors they change."""

from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np

from models.behavior.vector_cell import Vectors

G = TypeVar("G", bound=Hashable)

MAX_CHANGES = 4096
"""The number of vectors that are remembered. A flood of more is counted instead."""


class TextChanges(Generic[G]):
    """Changed vectors, by the group in which they are compared.

    Attributes:
        floods: How often there were too many changes, so that they were forgotten. Any neighbors may have
            changed then.
    """

    def __init__(self) -> None:
        self.floods = 0
        self._vectors: dict[G, list[Vectors]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, group: G, vectors: Vectors) -> None:
        """Remember vectors that came or went; shape (n, dimensions)."""
        if self._count + len(vectors) > MAX_CHANGES:
            self._vectors.clear()
            self._count = 0
            self.floods += 1
        elif len(vectors):
            self._vectors.setdefault(group, []).append(vectors)
            self._count += len(vectors)

    def take(self, count: int) -> dict[G, Vectors]:
        """Remove and return some vectors, `count` at most."""
        taken: dict[G, Vectors] = {}
        for group in list(self._vectors):
            if count <= 0:
                break
            vectors = np.concatenate(self._vectors.pop(group))
            taken[group], rest = vectors[:count], vectors[count:]
            if len(rest):
                self._vectors[group] = [rest]
            count -= len(taken[group])
        self._count -= sum(map(len, taken.values()))
        return taken
