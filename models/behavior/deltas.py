"""Co-behaviour between agents: what a batch of sessions adds to products' neighbours, column by column.

A delta says: in product `product`'s row, neighbour `neighbour` of one relation gets `weight` at event time
`time` and `support` more sessions. A `FORGET` delta says: `product` drops `neighbour` from all relations,
because the neighbour was withdrawn. Deltas of one product apply in their order.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schemas.events import Relation

RELATIONS: tuple[Relation, ...] = (Relation.VIEWED, Relation.CARTED, Relation.BOUGHT)
"""The behavioural relations; a relation's code is its place here."""

FORGET = len(RELATIONS)
"""The code of a delta that drops a neighbour."""


class _Interned(dict[str, int]):
    """Gives every new string the next number."""

    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number


@dataclass(frozen=True, slots=True)
class Deltas:
    """A columnar batch of n deltas; rows keep the order of their making.

    Attributes:
        ids: Product ids that `product` and `neighbour` point into; no id occurs twice.
        product: Whose row changes; uint32, shape (n,).
        neighbour: Which neighbour of it; uint32, shape (n,).
        code: Index into `RELATIONS`, or `FORGET`; uint8, shape (n,).
        time: Event time in seconds since 1970; float64, shape (n,).
        weight: Decaying weight at `time`; float64, shape (n,).
        support: Sessions to add; int32, shape (n,).
    """

    ids: Sequence[str]
    product: NDArray[np.uint32]
    neighbour: NDArray[np.uint32]
    code: NDArray[np.uint8]
    time: NDArray[np.float64]
    weight: NDArray[np.float64]
    support: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.product)

    def take(self, rows: "slice | NDArray[np.intp] | NDArray[np.bool_]") -> "Deltas":
        """The deltas at `rows` (a slice, indices or a mask), with the same `ids`."""
        return Deltas(
            self.ids,
            self.product[rows],
            self.neighbour[rows],
            self.code[rows],
            self.time[rows],
            self.weight[rows],
            self.support[rows],
        )

    @classmethod
    def joined(cls, parts: Sequence["Deltas"]) -> "Deltas":
        """The deltas of `parts`, at least one, in their order: a product's row then merges once for all."""
        if len(parts) == 1:
            return parts[0]
        ids = _Interned()
        place = [np.fromiter(map(ids.__getitem__, part.ids), np.uint32, len(part.ids)) for part in parts]
        return cls(
            list(ids),
            np.concatenate([at[part.product] for at, part in zip(place, parts, strict=True)]),
            np.concatenate([at[part.neighbour] for at, part in zip(place, parts, strict=True)]),
            np.concatenate([part.code for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.weight for part in parts]),
            np.concatenate([part.support for part in parts]),
        )

    def by_product(self) -> Iterator[tuple[str, "Deltas"]]:
        """Each product that changes with its deltas, in order of `ids`; deltas keep their order."""
        if not len(self):
            return
        ordered = self.take(np.argsort(self.product, kind="stable"))
        starts = np.flatnonzero(np.diff(ordered.product)) + 1
        bounds = [0, *starts.tolist(), len(self)]
        for start, end in pairwise(bounds):
            yield self.ids[int(ordered.product[start])], ordered.take(slice(start, end))

    def by_partition(
        self, partitions: int, partition_for: Callable[[bytes, int], int]
    ) -> dict[int, "Deltas"]:
        """Split by the partition of the product whose row changes.

        Args:
            partitions: The number of partitions of the target topic.
            partition_for: Maps a product's key (its id in UTF-8) and the number of partitions to a partition.

        Returns:
            The deltas of each partition that gets any, by ascending partition.
        """
        home = np.fromiter(
            (partition_for(name.encode(), partitions) for name in self.ids), np.int64, len(self.ids)
        )
        target = home[self.product]
        return {int(partition): self.take(target == partition) for partition in np.unique(target)}


class DeltaBuilder:
    """Collects the deltas of one batch."""

    def __init__(self) -> None:
        self._ids = _Interned()
        self._product = array("I")
        self._neighbour = array("I")
        self._code = array("B")
        self._time = array("d")
        self._weight = array("d")
        self._support = array("i")

    def __len__(self) -> int:
        return len(self._product)

    def pair(
        self,
        product: str,
        others: Sequence[str],
        times: Sequence[float],
        relation: Relation,
        weight: float = 1.0,
        support: int = 1,
    ) -> None:
        """Add `product` with each of `others`, in both directions.

        Args:
            product: The product that met the others.
            others: The products it met, without itself.
            times: The event time of each meeting, in seconds; as long as `others`.
            relation: A behavioural relation.
            weight: What each meeting weighs at its time.
            support: Sessions to add for each meeting.
        """
        met = array("I", map(self._ids.__getitem__, others))
        alone = array("I", (self._ids[product],)) * len(met)
        self._product += alone
        self._product += met
        self._neighbour += met
        self._neighbour += alone
        moments = array("d", times)
        self._time += moments
        self._time += moments
        self._fill(2 * len(met), RELATIONS.index(relation), weight, support)

    def forget(self, product: str, neighbours: Sequence[str], time: float = 0.0) -> None:
        """Let each of `neighbours` drop the withdrawn `product`; `time` is only carried along."""
        met = array("I", map(self._ids.__getitem__, neighbours))
        self._product += met
        self._neighbour += array("I", (self._ids[product],)) * len(met)
        self._time += array("d", (time,)) * len(met)
        self._fill(len(met), FORGET, 0.0, 0)

    def _fill(self, count: int, code: int, weight: float, support: int) -> None:
        self._code += array("B", (code,)) * count
        self._weight += array("d", (weight,)) * count
        self._support += array("i", (support,)) * count

    def build(self) -> Deltas:
        """Everything collected so far; later additions don't change it."""
        return Deltas(
            list(self._ids),
            np.array(self._product, dtype=np.uint32),
            np.array(self._neighbour, dtype=np.uint32),
            np.array(self._code, dtype=np.uint8),
            np.array(self._time, dtype=np.float64),
            np.array(self._weight, dtype=np.float64),
            np.array(self._support, dtype=np.int32),
        )
