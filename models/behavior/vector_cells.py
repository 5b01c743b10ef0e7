"""An inverted file over quantized vectors: cells of similar vectors, of which a search reads the nearest.

A cell that grows beyond `CELL_LIMIT` is split in two. So a search reads about the same number of vectors
however many there are, and nothing is trained (compare Y. Xu et al., "SPFresh: Incremental In-Place Update
for Billion-Scale Vector Search", SOSP 2023). While there are no more cells than `PROBES`, a search reads all
of them and is exact.

Vectors and centers are signed bytes, multiplied as float32. A sum of at most 1,024 products of two bytes is
at most 2^24, so every dot product is an exact integer. The same changes, in the same batches, give the same
cells on every machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.behavior.vector_cell import Cell, Vectors

CELL_LIMIT = 1024
"""The number of vectors beyond which a cell is split."""
PROBES = 32
"""The number of cells that a search reads for each query."""
_QUERY_BLOCK = 128
_ASSIGNED_AT_ONCE = 1024
_SLACK = 1e-5
_MERGE_BELOW = 16

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hits:
    """The candidates of one query, in no order: at least the k best of the cells that were read.

    Attributes:
        numbers: The numbers of the vectors, int64, shape (n,).
        cosines: float64, shape (n,). The cosine with a zero vector is 0.
    """

    numbers: Numbers
    cosines: NDArray[np.float64]


class VectorCells:
    """Vectors by number, in cells.

    Args:
        dimensions: The width of the vectors, 1,024 at most.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._cells = [Cell(dimensions)]
        # The centers as float32, shape (capacity, dimensions), of which the first len(_cells) are in use.
        self._matrix = np.zeros((64, dimensions), dtype=np.float32)
        self._cell_of = np.full(256, -1, dtype=np.int32)
        self._position_of = np.zeros(256, dtype=np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return number < len(self._cell_of) and bool(self._cell_of[number] >= 0)

    @property
    def exact(self) -> bool:
        """Whether a search reads all vectors."""
        return len(self._cells) <= PROBES

    def vectors(self, numbers: Sequence[int]) -> Vectors:
        """Return the vectors of numbers that are there; shape (len(numbers), dimensions)."""
        found = np.empty((len(numbers), self.dimensions), dtype=np.int8)
        for place, number in enumerate(numbers):
            found[place] = self._cells[self._cell_of[number]].vectors[self._position_of[number]]
        return found

    def put(self, numbers: Sequence[int], vectors: Vectors) -> None:
        """Add vectors, or replace those of numbers that are there.

        Args:
            numbers: Distinct numbers from 0; memory grows with the largest.
            vectors: Shape (len(numbers), dimensions).
        """
        self.discard(numbers)
        self._reserve(max(numbers, default=0) + 1)
        self._append(np.asarray(numbers, dtype=np.int64), vectors)
        self._count += len(numbers)

    def discard(self, numbers: Sequence[int]) -> None:
        """Remove vectors; numbers that are not there are ignored."""
        asked = np.asarray(numbers, dtype=np.int64)
        asked = asked[asked < len(self._cell_of)]
        for number in asked[self._cell_of[asked] >= 0].tolist():
            index, position = int(self._cell_of[number]), int(self._position_of[number])
            moved = self._cells[index].remove(position)
            self._position_of[moved] = position
            self._cell_of[number] = -1
            self._count -= 1
            if len(self._cells[index]) < CELL_LIMIT // _MERGE_BELOW and len(self._cells) > 1:
                self._dissolve(index)

    def nearest(self, vectors: Vectors, k: int) -> list[Hits]:
        """Search the cells with the nearest centers.

        Args:
            vectors: The queries, shape (q, dimensions).
            k: The number of vectors that are wanted for each query.

        Returns:
            For each query the k best of the cells that were read, and more where they are equally near.
        """
        probed = self._probed(vectors)
        # Similar queries read the same cells: side by side, they share the work.
        order = np.lexsort((probed[:, -1], probed[:, 0]))
        found: list[Hits] = [Hits(np.empty(0, dtype=np.int64), np.empty(0))] * len(vectors)
        for start in range(0, len(order), _QUERY_BLOCK):
            block = order[start : start + _QUERY_BLOCK]
            hits = self._read(vectors[block], probed[block], k)
            for place, each in zip(block.tolist(), hits, strict=True):
                found[place] = each
        return found

    def reached(self, vectors: Vectors, least: NDArray[np.float32]) -> Numbers:
        """Find whose neighbors vectors may become, or may have been.

        Args:
            vectors: Vectors that came or went, shape (q, dimensions).
            least: By number, the cosine from which on a vector is a neighbor.

        Returns:
            The numbers that are near enough to one of the vectors, in ascending order. Those in cells that a
            search from these vectors does not read are missing.
        """
        norms = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1)).astype(np.float32)
        found = [np.empty(0, dtype=np.int64)]
        for index, readers in _readers(self._probed(vectors)):
            cell = self._cells[index]
            numbers = cell.numbers[: len(cell)].astype(np.int64)
            dots = vectors[readers].astype(np.float32) @ cell.vectors[: len(cell)].astype(np.float32).T
            lengths = np.sqrt(np.maximum(cell.squares[: len(cell)], 1), dtype=np.float32)
            cosines = dots / (np.maximum(norms[readers], 1)[:, None] * lengths)
            found.append(numbers[(cosines >= least[numbers] - _SLACK).any(axis=0)])
        return np.unique(np.concatenate(found))

    def _probed(self, vectors: Vectors) -> NDArray[np.intp]:
        """Return the nearest cells of each query, the nearest first; shape (q, probes)."""
        probes = min(PROBES, len(self._cells))
        probed = np.empty((len(vectors), probes), dtype=np.intp)
        for start in range(0, len(vectors), _ASSIGNED_AT_ONCE):
            queries = vectors[start : start + _ASSIGNED_AT_ONCE].astype(np.float32)
            dots = queries @ self._matrix[: len(self._cells)].T
            near = np.argpartition(-dots, probes - 1, axis=1)[:, :probes]
            rank = np.argsort(-np.take_along_axis(dots, near, axis=1), axis=1, kind="stable")
            probed[start : start + len(queries)] = np.take_along_axis(near, rank, axis=1)
        return probed

    def _read(self, vectors: Vectors, probed: NDArray[np.intp], k: int) -> list[Hits]:
        """Compare some queries with the vectors of their cells."""
        queries = vectors.astype(np.float32)
        norms = np.sqrt((queries.astype(np.float64) ** 2).sum(axis=1))
        # A lower bound of the k-th best score of each query: what lies below it needs no further look.
        least = np.full(len(vectors), -np.inf, dtype=np.float32)
        pairs: list[tuple[Numbers, Numbers, NDArray[np.float64]]] = []
        for index, readers in _readers(probed):
            cell = self._cells[index]
            dots = queries[readers] @ cell.vectors[: len(cell)].astype(np.float32).T
            squares = cell.squares[: len(cell)]
            scores = dots / np.sqrt(np.maximum(squares, 1), dtype=np.float32)
            near = scores >= least[readers][:, None]
            if np.count_nonzero(near) > k * len(readers) and len(cell) > k:
                kth = np.partition(scores, -k, axis=1)[:, -k]
                least[readers] = np.maximum(least[readers], kth - _SLACK * np.abs(kth))
                near = scores >= least[readers][:, None]
            reader, place = np.nonzero(near)
            lengths = norms[readers][reader] * np.sqrt(squares[place].astype(np.float64))
            cosines = np.divide(
                dots[reader, place].astype(np.float64), lengths, out=np.zeros(len(place)), where=lengths > 0
            )
            pairs.append((readers[reader], cell.numbers[place].astype(np.int64), cosines))
        return _by_query(pairs, len(vectors), k)

    def _append(self, numbers: Numbers, vectors: Vectors) -> None:
        """Put vectors into the cells of the nearest centers, and split the cells that are full."""
        for start in range(0, len(numbers), _ASSIGNED_AT_ONCE):
            some = vectors[start : start + _ASSIGNED_AT_ONCE]
            dots = some.astype(np.float32) @ self._matrix[: len(self._cells)].T
            nearest = dots.argmax(axis=1)
            for index in np.unique(nearest).tolist():
                chosen = np.flatnonzero(nearest == index)
                self._extend(index, numbers[start + chosen], some[chosen])

    def _extend(self, index: int, numbers: Numbers, vectors: Vectors) -> None:
        cell = self._cells[index]
        self._cell_of[numbers] = index
        self._position_of[numbers] = np.arange(len(cell), len(cell) + len(numbers))
        cell.extend(numbers, vectors)
        if len(cell) > CELL_LIMIT:
            self._split(index)

    def _split(self, index: int) -> None:
        """Split a cell, and again while a part is too large."""
        other = len(self._cells)
        if other == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
        halves = self._cells[index].halves()
        self._cells.append(halves[1][1])
        for place, (center, cell) in zip((index, other), halves, strict=True):
            self._cells[place] = cell
            self._matrix[place] = center
            self._renumber(place)
        for place, (_, cell) in zip((index, other), halves, strict=True):
            if len(cell) > CELL_LIMIT:
                self._split(place)

    def _dissolve(self, index: int) -> None:
        """Remove a cell that is nearly empty, and put its vectors into other cells."""
        cell, last = self._cells[index], self._cells.pop()
        if last is not cell:
            self._cells[index] = last
            self._matrix[index] = self._matrix[len(self._cells)]
            self._renumber(index)
        self._append(cell.numbers[: len(cell)].astype(np.int64), cell.vectors[: len(cell)])

    def _renumber(self, index: int) -> None:
        numbers = self._cells[index].numbers[: len(self._cells[index])]
        self._cell_of[numbers] = index
        self._position_of[numbers] = np.arange(len(numbers))

    def _reserve(self, count: int) -> None:
        """Make room for the numbers below `count`."""
        have = len(self._cell_of)
        if count > have:
            more = max(count, have + have // 4) - have
            self._cell_of = np.concatenate([self._cell_of, np.full(more, -1, dtype=np.int32)])
            self._position_of = np.concatenate([self._position_of, np.zeros(more, dtype=np.int32)])


def _readers(probed: NDArray[np.intp]) -> Iterator[tuple[int, Numbers]]:
    """Yield each cell with the queries that read it, first the cells that are the nearest of a query."""
    for ranks in (probed[:, :1], probed[:, 1:]):
        cells = ranks.ravel()
        if not len(cells):
            continue
        readers = np.repeat(np.arange(len(probed)), ranks.shape[1])
        order = np.argsort(cells, kind="stable")
        starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(cells)], strict=True):
            yield int(cells[order[start]]), readers[order[start:end]]


def _by_query(pairs: list[tuple[Numbers, Numbers, NDArray[np.float64]]], queries: int, k: int) -> list[Hits]:
    """Collect the candidates of each query. Leave out those that are not among the best k."""
    query, number, cosine = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
    order = np.argsort(query, kind="stable")
    ends = np.searchsorted(query[order], np.arange(queries + 1))
    found = []
    for place in range(queries):
        chosen = order[ends[place] : ends[place + 1]]
        scores = cosine[chosen]
        if len(chosen) > k:
            chosen = chosen[scores >= np.partition(scores, -k)[-k]]
        found.append(Hits(number[chosen], cosine[chosen]))
    return found
