"""Finds products with similar texts by cosine search over quantized embeddings.

The search is exact while a model has some 20,000 products, and approximate beyond: see `VectorCells`. The
cosines are exact in either case, and do not depend on the machine or the order of summation.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from heapq import nsmallest

import numpy as np

from models.behavior.product_numbers import ProductNumbers
from models.behavior.vector_cell import Vectors
from models.behavior.vector_cells import Hits, VectorCells
from schemas.errors import InvalidEvent
from schemas.events import Embedding

MAX_DIMENSIONS = 1024
"""The maximum number of dimensions of an embedding."""


def vector_of(embedding: Embedding) -> Vectors:
    """Decode the signed bytes of `embedding`, shape (dimensions,).

    Raises:
        InvalidEvent: `invalid-embedding`: not base64, not as long as it claims, or too long.
    """
    try:
        data = a2b_base64(embedding.int8.encode(), strict_mode=True)
    except (Base64Error, UnicodeEncodeError) as error:
        raise InvalidEvent(
            "invalid-embedding", f"$.embedding.int8: is not base64: {error}", "$.embedding.int8"
        ) from error
    if len(data) != embedding.dimensions or not 1 <= len(data) <= MAX_DIMENSIONS:
        raise InvalidEvent(
            "invalid-embedding",
            f"$.embedding.int8: has {len(data)} bytes, but dimensions is {embedding.dimensions} "
            f"(allowed: 1 to {MAX_DIMENSIONS})",
            "$.embedding.int8",
        )
    return np.frombuffer(data, dtype=np.int8)


class SimilarityIndex:
    """An index of products by their embeddings. Embeddings of different models are never compared.

    Args:
        products: Gives ids to the numbers of the products. A product's embedding must be removed before its
            number is.
    """

    def __init__(self, products: ProductNumbers) -> None:
        self._products = products
        self._cells: dict[tuple[str, int], VectorCells] = {}

    def __len__(self) -> int:
        return sum(map(len, self._cells.values()))

    def __contains__(self, number: int) -> bool:
        return any(number in cells for cells in self._cells.values())

    @property
    def exact(self) -> bool:
        """Whether every search reads all vectors."""
        return all(cells.exact for cells in self._cells.values())

    def put(self, embeddings: Mapping[int, Embedding]) -> None:
        """Add products by number, or replace their embeddings. One call for many is far cheaper.

        Raises:
            InvalidEvent: `invalid-embedding`; the index is not changed.
        """
        by_model: dict[tuple[str, int], dict[int, Vectors]] = {}
        for number, embedding in embeddings.items():
            model = (embedding.model_version, embedding.dimensions)
            by_model.setdefault(model, {})[number] = vector_of(embedding)
        for model, vectors in by_model.items():
            for other in [other for other in self._cells if other != model]:
                self._discard(other, list(vectors))
            cells = self._cells.setdefault(model, VectorCells(model[1]))
            cells.put(list(vectors), np.stack(list(vectors.values())))

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove products; those without an embedding are ignored."""
        for model in list(self._cells):
            self._discard(model, numbers)

    def nearest(
        self, numbers: Sequence[int], k: int, min_cosine: float = -1.0
    ) -> dict[int, list[tuple[str, float]]]:
        """Find the products with the most similar texts. One call for many is far cheaper.

        Args:
            numbers: The products to search for.
            k: The maximum number of neighbors.
            min_cosine: The least cosine of a neighbor.

        Returns:
            For each product that has an embedding, the ids of its neighbors with their cosines in [-1, 1],
            best first; ties by id.
        """
        found: dict[int, list[tuple[str, float]]] = {}
        for cells in self._cells.values():
            here = [number for number in numbers if number in cells]
            if not here:
                continue
            for number, hits in zip(here, cells.nearest(cells.vectors(here), k + 1), strict=True):
                found[number] = self._best(hits, number, k, min_cosine)
        return found

    def _discard(self, model: tuple[str, int], numbers: Sequence[int]) -> None:
        self._cells[model].discard(numbers)
        if not len(self._cells[model]):
            del self._cells[model]

    def _best(self, hits: Hits, number: int, k: int, min_cosine: float) -> list[tuple[str, float]]:
        others = (hits.numbers != number) & (hits.cosines >= min_cosine)
        # Thousands of products may have the same text: only the ids that are returned are sorted.
        ranked = zip(
            (-hits.cosines[others]).tolist(),
            map(self._products.id_of, hits.numbers[others].tolist()),
            strict=True,
        )
        return [(name, -negative) for negative, name in nsmallest(k, ranked)]
