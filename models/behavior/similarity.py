"""Finds products with similar texts by exact cosine search over quantized embeddings.

The index stores signed bytes and multiplies them in blocks of float32. A sum of at most 1,024 products of two
bytes is at most 2^24, so every dot product is an exact integer, and results do not depend on the machine or
the order of summation.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidEvent
from schemas.events import Embedding

MAX_DIMENSIONS = 1024
"""The maximum number of dimensions of an embedding."""
_BLOCK = 8192
_CELLS = 1 << 22
_FIRST_CAPACITY = 256

Vector = NDArray[np.int8]


def vector_of(embedding: Embedding) -> Vector:
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


class _ModelVectors:
    """The vectors of one model as rows [0, count) of a matrix whose capacity doubles when it is full."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.ids: list[str] = []
        self.row: dict[str, int] = {}
        self.matrix: Vector = np.empty((_FIRST_CAPACITY, dimensions), dtype=np.int8)
        self.norm: NDArray[np.float64] = np.empty(_FIRST_CAPACITY)

    def put(self, product_id: str, vector: Vector) -> None:
        row = self.row.get(product_id)
        if row is None:
            row = len(self.ids)
            if row == len(self.matrix):
                self.matrix = np.concatenate([self.matrix, np.empty_like(self.matrix)])
                self.norm = np.concatenate([self.norm, np.empty_like(self.norm)])
            self.ids.append(product_id)
            self.row[product_id] = row
        self.matrix[row] = vector
        self.norm[row] = np.linalg.norm(vector.astype(np.float64))

    def drop(self, product_id: str) -> None:
        """Remove a product and move the last product into its row."""
        row = self.row.pop(product_id)
        last = self.ids.pop()
        if last != product_id:
            self.ids[row] = last
            self.row[last] = row
            self.matrix[row] = self.matrix[len(self.ids)]
            self.norm[row] = self.norm[len(self.ids)]

    def cosines(self, vectors: Vector) -> NDArray[np.float64]:
        """Compute the cosine of each vector with every row.

        Args:
            vectors: int8, shape (q, dimensions).

        Returns:
            Shape (q, count). The cosine with a zero vector is 0.
        """
        count = len(self.ids)
        dots = np.empty((len(vectors), count))
        queries = vectors.astype(np.float32)
        for start in range(0, count, _BLOCK):
            end = min(start + _BLOCK, count)
            dots[:, start:end] = queries @ self.matrix[start:end].astype(np.float32).T
        length = np.linalg.norm(vectors.astype(np.float64), axis=1)[:, None] * self.norm[:count]
        np.divide(dots, length, out=dots, where=length > 0)
        return dots

    def nearest(
        self, vectors: Vector, k: int, excluded: Sequence[Collection[str]]
    ) -> list[list[tuple[str, float]]]:
        """Find the `k` nearest rows of each of q vectors, without the products in its entry of `excluded`."""
        found = []
        order = _IdOrder(self.ids)
        step = max(1, _CELLS // max(1, len(self.ids)))
        for start in range(0, len(vectors), step):
            cosines = self.cosines(vectors[start : start + step])
            for row, names in zip(cosines, excluded[start : start + step], strict=True):
                row[[self.row[name] for name in names if name in self.row]] = -np.inf
                found.append(_best(row, order, k))
        return found


class SimilarityIndex:
    """An index of products by their embeddings. Embeddings of different models are never compared."""

    def __init__(self) -> None:
        self._spaces: dict[tuple[str, int], _ModelVectors] = {}
        self._vectors_of: dict[str, _ModelVectors] = {}

    def __len__(self) -> int:
        return len(self._vectors_of)

    def __contains__(self, product_id: object) -> bool:
        return product_id in self._vectors_of

    def add(self, product_id: str, embedding: Embedding) -> None:
        """Add a product, or replace its embedding.

        Raises:
            InvalidEvent: `invalid-embedding`; the index is not changed.
        """
        vector = vector_of(embedding)
        space = self._space(embedding)
        current = self._vectors_of.get(product_id)
        if current is not None and current is not space:
            self.remove(product_id)
        space.put(product_id, vector)
        self._vectors_of[product_id] = space

    def remove(self, product_id: str) -> None:
        """Remove a product; an unknown product is ignored."""
        current = self._vectors_of.pop(product_id, None)
        if current is None:
            return
        current.drop(product_id)
        if not current.ids:
            self._spaces = {key: space for key, space in self._spaces.items() if space is not current}

    def nearest(
        self, query: str | Embedding, k: int, exclude: Collection[str] = ()
    ) -> list[tuple[str, float]]:
        """Find the products with the most similar texts.

        Args:
            query: The id of an indexed product, which is left out of the result, or an embedding.
            k: The maximum number of products.
            exclude: Products to leave out.

        Returns:
            Ids and cosines in [-1, 1], best first; ties by id. Empty for an unknown product or model.

        Raises:
            InvalidEvent: `invalid-embedding`: The query is an invalid embedding.
        """
        if isinstance(query, str):
            return self.nearest_many([query], k, exclude)[0]
        vector = vector_of(query)
        space = self._spaces.get((query.model_version, query.dimensions))
        return [] if space is None else space.nearest(vector[None], k, [exclude])[0]

    def nearest_many(
        self, product_ids: Sequence[str], k: int, exclude: Collection[str] = ()
    ) -> list[list[tuple[str, float]]]:
        """Return the result of `nearest` for each of `product_ids`. One call for many is far cheaper."""
        found: list[list[tuple[str, float]]] = [[] for _ in product_ids]
        for space in self._spaces.values():
            positions = [
                place for place, name in enumerate(product_ids) if self._vectors_of.get(name) is space
            ]
            names = [product_ids[place] for place in positions]
            vectors = space.matrix[[space.row[name] for name in names]]
            results = space.nearest(vectors, k, [{*exclude, name} for name in names])
            for place, result in zip(positions, results, strict=True):
                found[place] = result
        return found

    def _space(self, embedding: Embedding) -> _ModelVectors:
        key = (embedding.model_version, embedding.dimensions)
        space = self._spaces.get(key)
        if space is None:
            space = self._spaces[key] = _ModelVectors(embedding.dimensions)
        return space


class _IdOrder:
    """The order of a matrix's rows by id, sorted once for all queries when it is first needed."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self._place: NDArray[np.intp] | None = None

    def first(self, rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
        """Return the `count` of `rows` with the smallest ids, unordered; there must be more than `count`."""
        if self._place is None:
            self._place = np.empty(len(self.ids), dtype=np.intp)
            self._place[sorted(range(len(self.ids)), key=self.ids.__getitem__)] = np.arange(len(self.ids))
        return rows[np.argpartition(self._place[rows], count)[:count]]


def _best(cosines: NDArray[np.float64], order: _IdOrder, k: int) -> list[tuple[str, float]]:
    count = min(k, len(cosines))
    if count < 1:
        return []
    threshold = np.partition(cosines, -count)[-count]
    rows = np.flatnonzero((cosines >= threshold) & np.isfinite(cosines))
    if len(rows) > count:
        # Ten thousand products may have the same text, and sorting them for each query would take minutes.
        ties = np.flatnonzero(cosines == threshold)
        above = np.flatnonzero(cosines > threshold)
        rows = np.concatenate([above, order.first(ties, count - len(above))])
    ranked = sorted((-float(cosines[row]), order.ids[row]) for row in rows.tolist())
    return [(name, -negative) for negative, name in ranked]
