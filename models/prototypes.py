"""Categories as points in a text encoder's space: their names, their paths, and what sellers say for them.

A text is as near to a category as to the nearest of its points. No product needs to have been seen.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from models.taxonomy import Taxonomy
from models.text import clean

Floats = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]
"""From cleaned texts to unit vectors, shape [texts, dimensions]."""


class Prototypes:
    """The points of a category tree.

    Args:
        vectors: Shape [points, dimensions]: unit vectors.
        categories: Shape [points]: whose point each is; ascending, and every category has one.

    Attributes:
        vectors: As given.
        categories: As given.
    """

    def __init__(self, vectors: Floats, categories: npt.NDArray[np.int64]) -> None:
        self.vectors, self.categories = vectors, categories
        self._starts = np.flatnonzero(np.diff(categories, prepend=-1))

    @classmethod
    def of(cls, taxonomy: Taxonomy, encode: Encode) -> "Prototypes":
        """Encode the tree: for each category the mean of its name and its path, and each English synonym."""
        names = encode([clean(node.name) for node in taxonomy.nodes])
        paths = encode([clean(node.path) for node in taxonomy.nodes])
        synonyms = [
            (node.index, clean(text))
            for node in taxonomy.nodes
            for language, text in node.synonyms
            if language == "en"
        ]
        vectors, categories = _unit(names + paths), np.arange(len(taxonomy))
        if synonyms:
            vectors = np.concatenate([vectors, encode([text for _, text in synonyms])])
            categories = np.concatenate([categories, [category for category, _ in synonyms]])
        order = np.argsort(categories, kind="stable")
        return cls(vectors[order], categories[order])

    def scores(self, texts: Floats) -> Floats:
        """Shape [texts, categories]: the cosine with the nearest point of each category.

        Args:
            texts: Shape [texts, dimensions]: unit vectors.
        """
        cosines = texts @ self.vectors.T
        return np.asarray(np.maximum.reduceat(cosines, self._starts, axis=1), dtype=np.float32)


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
