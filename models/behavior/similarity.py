"""Nearest products by text: exact cosine over quantized embeddings, for products nobody met yet.

The index keeps the signed bytes as they come and multiplies block by block in float32. A product of two
bytes summed over at most 1,024 dimensions stays below 2^24, so every dot product is an exact integer and the
result does not depend on the machine or the order of adding up.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidEvent
from schemas.events import Embedding

MAX_DIMENSIONS = 1024
_BLOCK = 8192
_CELLS = 1 << 22
_FIRST_CAPACITY = 256

Vector = NDArray[np.int8]


def vector_of(embedding: Embedding) -> Vector:
    """The signed bytes of `embedding`, shape (dimensions,).

    Raises:
        InvalidEvent: `invalid-embedding`: not base64, not as long as it claims, or too long.
    """
    try:
        data = a2b_base64(embedding.int8.encode(), strict_mode=True)
    except (Base64Error, UnicodeEncodeError) as error:
        raise InvalidEvent("invalid-embedding", f"int8 is not base64: {error}", "$.embedding.int8") from error
    if len(data) != embedding.dimensions or not 1 <= len(data) <= MAX_DIMENSIONS:
        raise InvalidEvent(
            "invalid-embedding",
            f"int8 holds {len(data)} bytes where dimensions says {embedding.dimensions} "
            f"(1 to {MAX_DIMENSIONS} are possible)",
            "$.embedding.int8",
        )
    return np.frombuffer(data, dtype=np.int8)


class _Space:
    """The vectors of one model: rows [0, count) of a matrix that grows by doubling."""

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
        """Remove a product by moving the last one into its row."""
        row = self.row.pop(product_id)
        last = self.ids.pop()
        if last != product_id:
            self.ids[row] = last
            self.row[last] = row
            self.matrix[row] = self.matrix[len(self.ids)]
            self.norm[row] = self.norm[len(self.ids)]

    def cosines(self, vectors: Vector) -> NDArray[np.float64]:
        """The cosine of each of q `vectors`, shape (q, dimensions), with every row: shape (q, count).

        It is 0 where either has no direction.
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
        """For each of q `vectors` the `k` nearest rows, without those that its entry of `excluded` names."""
        found = []
        order = _Order(self.ids)
        step = max(1, _CELLS // max(1, len(self.ids)))
        for start in range(0, len(vectors), step):
            cosines = self.cosines(vectors[start : start + step])
            for row, names in zip(cosines, excluded[start : start + step], strict=True):
                row[[self.row[name] for name in names if name in self.row]] = -np.inf
                found.append(_best(row, order, k))
        return found


class SimilarityIndex:
    """Products by their embeddings. Embeddings of different models live apart and never meet."""

    def __init__(self) -> None:
        self._spaces: dict[tuple[str, int], _Space] = {}
        self._home: dict[str, _Space] = {}

    def __len__(self) -> int:
        return len(self._home)

    def __contains__(self, product_id: object) -> bool:
        return product_id in self._home

    def add(self, product_id: str, embedding: Embedding) -> None:
        """Add a product, or replace its embedding.

        Raises:
            InvalidEvent: `invalid-embedding`; the index is left as it was.
        """
        vector = vector_of(embedding)
        space = self._space(embedding)
        home = self._home.get(product_id)
        if home is not None and home is not space:
            self.remove(product_id)
        space.put(product_id, vector)
        self._home[product_id] = space

    def remove(self, product_id: str) -> None:
        """Take a product out; nothing happens if it is not there."""
        home = self._home.pop(product_id, None)
        if home is None:
            return
        home.drop(product_id)
        if not home.ids:
            self._spaces = {key: space for key, space in self._spaces.items() if space is not home}

    def nearest(
        self, query: str | Embedding, k: int, exclude: Collection[str] = ()
    ) -> list[tuple[str, float]]:
        """The `k` products whose texts are nearest, with their cosines in [-1, 1], best first, ties by id.

        Args:
            query: A product of the index (never its own neighbour), or an embedding.
            k: How many at most.
            exclude: Products to leave out.

        Returns:
            Fewer than `k` if there are not more; nothing for an unknown product or model.

        Raises:
            InvalidEvent: `invalid-embedding`, for an embedding.
        """
        if isinstance(query, str):
            return self.nearest_many([query], k, exclude)[0]
        vector = vector_of(query)
        space = self._spaces.get((query.model_version, query.dimensions))
        return [] if space is None else space.nearest(vector[None], k, [exclude])[0]

    def nearest_many(
        self, product_ids: Sequence[str], k: int, exclude: Collection[str] = ()
    ) -> list[list[tuple[str, float]]]:
        """What `nearest` says of each of `product_ids`; many at once are far cheaper than one by one."""
        found: list[list[tuple[str, float]]] = [[] for _ in product_ids]
        for space in self._spaces.values():
            mine = [place for place, name in enumerate(product_ids) if self._home.get(name) is space]
            names = [product_ids[place] for place in mine]
            vectors = space.matrix[[space.row[name] for name in names]]
            answers = space.nearest(vectors, k, [{*exclude, name} for name in names])
            for place, answer in zip(mine, answers, strict=True):
                found[place] = answer
        return found

    def _space(self, embedding: Embedding) -> _Space:
        key = (embedding.model_version, embedding.dimensions)
        space = self._spaces.get(key)
        if space is None:
            space = self._spaces[key] = _Space(embedding.dimensions)
        return space


class _Order:
    """The rows of a matrix in the order of their ids, sorted once for all queries, and only if one asks."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self._place: NDArray[np.intp] | None = None

    def first(self, rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
        """The `count` of `rows`, of which there are more, whose ids come first; in no order."""
        if self._place is None:
            self._place = np.empty(len(self.ids), dtype=np.intp)
            self._place[sorted(range(len(self.ids)), key=self.ids.__getitem__)] = np.arange(len(self.ids))
        return rows[np.argpartition(self._place[rows], count)[:count]]


def _best(cosines: NDArray[np.float64], order: _Order, k: int) -> list[tuple[str, float]]:
    count = min(k, len(cosines))
    if count < 1:
        return []
    border = np.partition(cosines, -count)[-count]
    rows = np.flatnonzero((cosines >= border) & np.isfinite(cosines))
    if len(rows) > count:
        # A catalogue may hold one text ten thousand times: sorting all of them for each would take minutes.
        ties = np.flatnonzero(cosines == border)
        sure = np.flatnonzero(cosines > border)
        rows = np.concatenate([sure, order.first(ties, count - len(sure))])
    ranked = sorted((-float(cosines[row]), order.ids[row]) for row in rows.tolist())
    return [(name, -negative) for negative, name in ranked]
