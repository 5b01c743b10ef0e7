"""Co-behavior deltas: what a batch of sessions adds to the neighbors of products, as columns.

A delta adds `weight` at event time `time` and `support` sessions to neighbor `neighbor` of one relation, in
the row of product `product`. A delta whose neighbor is the product itself counts sessions of the product:
it is no neighbor. A `REMOVAL` delta removes `neighbor`, a withdrawn product, from all relations of
`product`. Deltas of one product apply in their order.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schemas.events import Relation

RELATIONS: tuple[Relation, ...] = (Relation.VIEWED, Relation.CARTED, Relation.BOUGHT)
"""The relations by behavior. A relation's code is its index here."""

REMOVAL = len(RELATIONS)
"""The code of a delta that removes a neighbor."""


class _StringIndex(dict[str, int]):
    """Maps strings to indices in order of first use."""

    def __missing__(self, name: str) -> int:
        index = self[name] = len(self)
        return index


@dataclass(frozen=True, slots=True)
class Deltas:
    """A batch of n deltas as columns, in the order in which they were added.

    Attributes:
        ids: Distinct product ids.
        product: Index into `ids` of the product whose row changes; uint32, shape (n,).
        neighbor: Index into `ids` of its neighbor; uint32, shape (n,).
        code: Index into `RELATIONS`, or `REMOVAL`; uint8, shape (n,).
        time: Event time in seconds since 1970; float64, shape (n,).
        weight: Weight at `time`, in sessions; float64, shape (n,).
        support: Number of sessions to add; int32, shape (n,).
    """

    ids: Sequence[str]
    product: NDArray[np.uint32]
    neighbor: NDArray[np.uint32]
    code: NDArray[np.uint8]
    time: NDArray[np.float64]
    weight: NDArray[np.float64]
    support: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.product)

    def take(self, rows: "slice | NDArray[np.intp] | NDArray[np.bool_]") -> "Deltas":
        """Return the deltas at `rows` (a slice, indices or a mask), with the same `ids`."""
        return Deltas(
            self.ids,
            self.product[rows],
            self.neighbor[rows],
            self.code[rows],
            self.time[rows],
            self.weight[rows],
            self.support[rows],
        )

    @classmethod
    def concatenated(cls, parts: Sequence["Deltas"]) -> "Deltas":
        """Concatenate at least one batch, in order, so that each product's row is merged once."""
        if len(parts) == 1:
            return parts[0]
        ids = _StringIndex()
        indices = [np.fromiter(map(ids.__getitem__, part.ids), np.uint32, len(part.ids)) for part in parts]
        return cls(
            list(ids),
            np.concatenate([index[part.product] for index, part in zip(indices, parts, strict=True)]),
            np.concatenate([index[part.neighbor] for index, part in zip(indices, parts, strict=True)]),
            np.concatenate([part.code for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.weight for part in parts]),
            np.concatenate([part.support for part in parts]),
        )

    def by_product(self) -> Iterator[tuple[str, "Deltas"]]:
        """Iterate over the changed products, in order of `ids`, each with its deltas in their order."""
        if not len(self):
            return
        ordered = self.take(np.argsort(self.product, kind="stable"))
        starts = np.flatnonzero(np.diff(ordered.product)) + 1
        bounds = [0, *starts.tolist(), len(self)]
        for start, end in pairwise(bounds):
            yield self.ids[int(ordered.product[start])], ordered.take(slice(start, end))

    def changed(self) -> list[str]:
        """Return the products whose rows change, in order of `ids`."""
        return [self.ids[number] for number in np.unique(self.product).tolist()]

    def by_partition(
        self, partitions: int, partition_for: Callable[[bytes, int], int]
    ) -> dict[int, "Deltas"]:
        """Split by the partition of the product whose row changes.

        Args:
            partitions: The number of partitions of the target topic.
            partition_for: The partitioner: maps a product's key (its id in UTF-8) and the number of
                partitions to a partition.

        Returns:
            The deltas of each partition that has any, by ascending partition.
        """
        partition_of = np.fromiter(
            (partition_for(name.encode(), partitions) for name in self.ids), np.int64, len(self.ids)
        )
        target = partition_of[self.product]
        return {int(partition): self.take(target == partition) for partition in np.unique(target)}


class DeltaBuilder:
    """Collects the deltas of one batch."""

    def __init__(self) -> None:
        self._ids = _StringIndex()
        self._product = array("I")
        self._neighbor = array("I")
        self._code = array("B")
        self._time = array("d")
        self._weight = array("d")
        self._support = array("i")

    def __len__(self) -> int:
        return len(self._product)

    def add_pairs(
        self,
        product: str,
        others: Sequence[str],
        times: Sequence[float],
        relation: Relation,
        weight: float = 1.0,
        support: int = 1,
    ) -> None:
        """Add the pairs of `product` with each of `others`, in both directions.

        Args:
            product: A product.
            others: Other products of the same session.
            times: The event time of each pair, in seconds since 1970; as long as `others`.
            relation: A relation by behavior.
            weight: The weight of each pair at its time, in sessions.
            support: The number of sessions to add to each pair.
        """
        neighbors = array("I", map(self._ids.__getitem__, others))
        repeated = array("I", (self._ids[product],)) * len(neighbors)
        self._product += repeated
        self._product += neighbors
        self._neighbor += neighbors
        self._neighbor += repeated
        pair_times = array("d", times)
        self._time += pair_times
        self._time += pair_times
        self._fill(2 * len(neighbors), RELATIONS.index(relation), weight, support)

    def add_sessions(
        self,
        products: Sequence[str],
        times: Sequence[float],
        relation: Relation,
        weight: float = 1.0,
        support: int = 1,
    ) -> None:
        """Add sessions of products, as deltas whose neighbor is the product itself.

        Args:
            products: The products.
            times: The event time of each, in seconds since 1970.
            relation: A relation by behavior.
            weight: The weight of each session at its time.
            support: The number of sessions to add to each product.
        """
        numbers = array("I", map(self._ids.__getitem__, products))
        self._product += numbers
        self._neighbor += numbers
        self._time += array("d", times)
        self._fill(len(numbers), RELATIONS.index(relation), weight, support)

    def add_columns(
        self,
        names: Sequence[str],
        relation: Relation,
        one: NDArray[np.int64],
        other: NDArray[np.int64],
        time: NDArray[np.float64],
        weight: NDArray[np.float64],
        support: NDArray[np.int64],
    ) -> None:
        """Add n pairs in both directions, and sessions of products where both products are one.

        Args:
            names: The ids of products.
            relation: A relation by behavior.
            one: Index into `names` of a product; shape (n,).
            other: Index into `names` of the other product; shape (n,).
            time: Event time in seconds since 1970; shape (n,).
            weight: The weight of each pair at its time; shape (n,).
            support: The number of sessions to add to each; shape (n,).
        """
        ids = np.fromiter(map(self._ids.__getitem__, names), np.uint32, len(names))
        back = one != other
        first, second = ids[one], ids[other]
        self._product.frombytes(np.concatenate([first, second[back]]).tobytes())
        self._neighbor.frombytes(np.concatenate([second, first[back]]).tobytes())
        self._time.frombytes(np.concatenate([time, time[back]]).tobytes())
        self._weight.frombytes(np.concatenate([weight, weight[back]]).tobytes())
        supports = np.concatenate([support, support[back]]).astype(np.int32)
        self._support.frombytes(supports.tobytes())
        self._code += array("B", (RELATIONS.index(relation),)) * len(supports)

    def remove(self, product: str, neighbors: Sequence[str], time: float = 0.0) -> None:
        """Add deltas that remove a withdrawn product from the rows of its neighbors.

        Args:
            product: The withdrawn product.
            neighbors: The products whose rows change.
            time: The time of the deltas in seconds since 1970, which has no effect.
        """
        rows = array("I", map(self._ids.__getitem__, neighbors))
        self._product += rows
        self._neighbor += array("I", (self._ids[product],)) * len(rows)
        self._time += array("d", (time,)) * len(rows)
        self._fill(len(rows), REMOVAL, 0.0, 0)

    def _fill(self, count: int, code: int, weight: float, support: int) -> None:
        self._code += array("B", (code,)) * count
        self._weight += array("d", (weight,)) * count
        self._support += array("i", (support,)) * count

    def build(self) -> Deltas:
        """Return the deltas collected so far as a copy."""
        return Deltas(
            list(self._ids),
            np.array(self._product, dtype=np.uint32),
            np.array(self._neighbor, dtype=np.uint32),
            np.array(self._code, dtype=np.uint8),
            np.array(self._time, dtype=np.float64),
            np.array(self._weight, dtype=np.float64),
            np.array(self._support, dtype=np.int32),
        )
