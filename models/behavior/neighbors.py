"""The neighbors of a product in one relation, with exponentially decaying weights, as columns.

A session at time s has the weight 2^((s - t) / half-life) at time t (forward decay: G. Cormode, V.
Shkapenyuk, D. Srivastava and B. Xu, "Forward Decay: A Practical Time Decay Model for Streaming Systems", ICDE
2009). A row stores each neighbor's weight at the time of its latest session. Older sessions add their weight
decayed to that time, so the order of arrival does not matter. Exponents are never positive, so weights do not
overflow, and no periodic decay of stored weights is needed.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_Kind = TypeVar("_Kind", np.float64, np.int64)

_SIGNIFICANT_DIGITS = 10
_TIE_TOLERANCE = 1e-9
_MAX_SUPPORT = 0xFFFFFFFF


class RankedNeighbor(NamedTuple):
    """A neighbor with its score at some time, and its support: the number of sessions."""

    product_id: str
    score: float
    support: int


class NeighborTable:
    """An immutable table of n neighbors. Every change returns a new table.

    Attributes:
        ids: Distinct product ids of the neighbors.
        weight: Weight at `time`, in sessions, not negative; float64, shape (n,).
        time: Event time of the latest session, in seconds since 1970; float64, shape (n,).
        support: Number of sessions, without decay; int64, shape (n,).
    """

    __slots__ = ("ids", "support", "time", "weight")

    def __init__(
        self,
        ids: list[str],
        weight: NDArray[np.float64],
        time: NDArray[np.float64],
        support: NDArray[np.int64],
    ) -> None:
        self.ids = ids
        self.weight = weight
        self.time = time
        self.support = support

    @classmethod
    def empty(cls) -> "NeighborTable":
        """Return a table without neighbors."""
        return cls([], np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    def with_sessions(
        self,
        neighbors: Sequence[str],
        time: NDArray[np.float64],
        weight: NDArray[np.float64],
        support: NDArray[np.int32],
        half_life_s: float,
    ) -> "NeighborTable":
        """Add m sessions; a neighbor may occur several times.

        Args:
            neighbors: The neighbor of each session, length m.
            time: The event time of each session in seconds since 1970; shape (m,).
            weight: The weight of each session at its time; shape (m,).
            support: The number of sessions to add; shape (m,).
            half_life_s: Half-life in seconds.

        Returns:
            The new table. Neighbors without support are left out.
        """
        # The index is rebuilt in microseconds; storing it would take more memory than all columns.
        index = dict(zip(self.ids, range(len(self.ids)), strict=True))
        ids, old = self.ids, len(self.ids)
        new = [name for name in dict.fromkeys(neighbors) if name not in index]
        if new:
            ids = ids + new
            index.update(zip(new, range(old, len(ids)), strict=True))
        position = np.fromiter(map(index.__getitem__, neighbors), np.intp, len(neighbors))
        latest = _extended(self.time, len(ids), -np.inf)
        np.maximum.at(latest, position, time)
        gained = weight * np.exp2((time - latest[position]) / half_life_s)
        total = np.bincount(position, gained, len(ids)).astype(np.float64)
        total[:old] += self.weight * np.exp2((self.time - latest[:old]) / half_life_s)
        sessions = np.bincount(position, support, len(ids)).astype(np.int64)
        sessions[:old] += self.support
        table = NeighborTable(ids, np.maximum(total, 0.0), latest, np.minimum(sessions, _MAX_SUPPORT))
        # A correction of a pair's time has support 0, so it must not add a neighbor that was dropped before.
        return table if sessions.min(initial=1) > 0 else table._take(np.flatnonzero(sessions > 0))

    def without(self, neighbor: str) -> "NeighborTable":
        """Return this table without `neighbor`; the same table if it is not there."""
        if neighbor not in self.ids:
            return self
        return self._take(np.flatnonzero([name != neighbor for name in self.ids]))

    def pruned(self, bound: int, half_life_s: float) -> "NeighborTable":
        """Return this table with the `bound` neighbors of the highest decayed weights.

        Ties keep the higher support, then the smaller id.
        """
        if len(self.ids) <= bound:
            return self
        return self._take(np.sort(self._best(bound, half_life_s)))

    def _take(self, places: NDArray[np.intp]) -> "NeighborTable":
        ids = self.ids
        return NeighborTable(
            [ids[place] for place in places.tolist()],
            self.weight[places],
            self.time[places],
            self.support[places],
        )

    def _best(self, count: int, half_life_s: float) -> NDArray[np.intp]:
        """Return the indices of the `count` highest weights, unordered; ties by support, then by id.

        Weights are compared by their logarithm at a common landmark, which neither over- nor underflows.
        Weights that differ by rounding errors only are ties, so that the order of summation does not matter.
        """
        with np.errstate(divide="ignore"):
            log_weight = np.log2(self.weight) + self.time / half_life_s
        if count >= len(log_weight):
            return np.arange(len(log_weight))
        threshold = np.partition(log_weight, -count)[-count]
        # The logarithm of a weight that underflowed is -inf, and -inf minus -inf is not a number.
        margin = _TIE_TOLERANCE if threshold > -np.inf else 0.0
        above = np.flatnonzero(log_weight > threshold + margin)
        ties = np.flatnonzero((log_weight >= threshold - margin) & (log_weight <= threshold + margin))
        return np.concatenate([above, self._first(ties, count - len(above))])

    def _first(self, places: NDArray[np.intp], count: int) -> NDArray[np.intp]:
        """Return the first `count` of `places` by descending support, then by id."""
        if len(places) <= count:
            return places
        supports = self.support[places]
        names = dict(zip([self.ids[place] for place in places.tolist()], places.tolist(), strict=True))
        if supports.min() == supports.max():
            order = sorted(names)
        else:
            by_name = dict(zip(names, (-supports).tolist(), strict=True))
            order = sorted(names, key=lambda name: (by_name[name], name))
        return np.array([names[name] for name in order[:count]], dtype=np.intp)

    def top(self, count: int, as_of: float, half_life_s: float) -> list[RankedNeighbor]:
        """Return the neighbors with the highest weights, best first; ties by support, then by id.

        Scores are rounded to ten significant digits, so that the order of summation does not break ties.

        Args:
            count: The maximum number of neighbors.
            as_of: The time to decay weights to, in seconds since 1970.
            half_life_s: Half-life in seconds.
        """
        if not self.ids:
            return []
        best = self._best(count, half_life_s)
        score = self.weight[best] * np.exp2((self.time[best] - as_of) / half_life_s)
        ranked = [
            RankedNeighbor(self.ids[place], float(f"{value:.{_SIGNIFICANT_DIGITS}g}"), support)
            for place, value, support in zip(
                best.tolist(), score.tolist(), self.support[best].tolist(), strict=True
            )
        ]
        ranked.sort(key=lambda entry: (-entry.score, -entry.support, entry.product_id))
        return ranked


def _extended(column: NDArray[_Kind], rows: int, fill: float) -> NDArray[_Kind]:
    grown = np.full(rows, fill, dtype=column.dtype)
    grown[: len(column)] = column
    return grown
