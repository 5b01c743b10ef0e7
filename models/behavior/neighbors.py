"""The neighbors of a product in one relation, with exponentially decaying weights, as columns.

A session at time s has the weight 2^((s - t) / half-life) at time t (forward decay: G. Cormode, V.
Shkapenyuk, D. Srivastava and B. Xu, "Forward Decay: A Practical Time Decay Model for Streaming Systems", ICDE
2009). All weights of a table are at one time, its landmark: the last whole number of half-lives since 1970
before its latest session. A landmark moves by whole half-lives, which multiplies weights by powers of two and
so is exact. Neither that nor the order of arrival changes a score by more than rounding.

A table counts 2k neighbors at most. The session that brings one more drops all but the k strongest, as in
lossy counting (G. Manku and R. Motwani, "Approximate Frequency Counts over Data Streams", VLDB 2002), so that
what a table holds depends on the sequence of sessions and not on batches. `error` is the sum of the weight of
the strongest neighbor that each drop took. A neighbor's true weight is at least its weight and at most
`error` more; that of a neighbor that is not there is at most `error`. The weight of a neighbor that was never
dropped is exact.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.behavior.id_pool import IdPool, current_pool

_SIGNIFICANT_DIGITS = 10
_TIE_TOLERANCE = 1e-9
MAX_SUPPORT = 0xFFFFFFFF
NO_LANDMARK = -(2**31)
"""The landmark of a table without sessions: before every time."""

_LEAST_EXPONENT = -3000
"""The power of two that makes every number 0. Exponents have 32 bits in numpy."""


class RankedNeighbor(NamedTuple):
    """A neighbor with its score at some time, and its support: the number of sessions."""

    product_id: str
    score: float
    support: int


class NeighborTable:
    """An immutable table of n neighbors. Every change returns a new table.

    Attributes:
        pool: Has the numbers of product ids.
        ids: Distinct numbers of the neighbors, ascending; int64, shape (n,).
        weight: Weight at the landmark, in sessions; float64, shape (n,). A correction may leave a rounding
            error below 0.
        support: Number of sessions since the neighbor is there, without decay, above 0; int64, shape (n,).
        half_life_s: Half-life in seconds.
        landmark: The time of the weights in half-lives since 1970; `NO_LANDMARK` without sessions.
        error: The bound of the error of all weights, at the landmark.
        own_weight: The number of sessions with the product itself, decayed to the landmark.
        own_support: The same without decay.
    """

    __slots__ = (
        "error",
        "half_life_s",
        "ids",
        "landmark",
        "own_support",
        "own_weight",
        "pool",
        "support",
        "weight",
    )

    def __init__(
        self,
        pool: IdPool,
        ids: NDArray[np.int64],
        weight: NDArray[np.float64],
        support: NDArray[np.int64],
        half_life_s: float,
        landmark: int,
        error: float = 0.0,
        own_weight: float = 0.0,
        own_support: int = 0,
    ) -> None:
        self.pool = pool
        self.ids = ids
        self.weight = weight
        self.support = support
        self.half_life_s = half_life_s
        self.landmark = landmark
        self.error = error
        self.own_weight = own_weight
        self.own_support = own_support

    def __len__(self) -> int:
        return len(self.ids)

    def names(self) -> list[str]:
        """Return the ids of the neighbors, in the order of the columns."""
        names = self.pool.names
        return [names[number] for number in self.ids.tolist()]

    def with_half_life(self, half_life_s: float, pool: IdPool) -> "NeighborTable":
        """Return this table with numbers of a pool, and with a landmark of this half-life.

        With another half-life, weights decay otherwise from the old landmark on.
        """
        if half_life_s == self.half_life_s and pool is self.pool:
            return self
        ids = self.ids if pool is self.pool else pool.numbers(self.names(), len(self.ids))
        order = np.argsort(ids)
        landmark, factor = self.landmark, 1.0
        if half_life_s != self.half_life_s and landmark != NO_LANDMARK:
            at = landmark * self.half_life_s / half_life_s
            landmark = int(np.floor(at))
            factor = 2.0 ** (at - landmark)
        return NeighborTable(
            pool,
            ids[order],
            self.weight[order] * factor,
            self.support[order],
            half_life_s,
            landmark,
            self.error * factor,
            self.own_weight * factor,
            self.own_support,
        )

    def decay(self, as_of: float) -> float:
        """Return the factor that takes weights from the landmark to `as_of`, in seconds since 1970."""
        exponent = self.landmark - as_of / self.half_life_s
        return float(np.exp2(exponent)) if exponent < 1023.0 else np.inf

    def top(self, count: int, as_of: float) -> list[RankedNeighbor]:
        """Return the neighbors with the highest weights, best first; ties by support, then by id.

        Scores are rounded to ten significant digits, so that the order of summation does not break ties.

        Args:
            count: The maximum number of neighbors.
            as_of: The time to decay weights to, in seconds since 1970.
        """
        if not len(self.ids):
            return []
        best = self._best(count)
        score = np.maximum(self.weight[best], 0.0) * self.decay(as_of)
        names = self.pool.names
        ranked = [
            (-rounded(value), -support, names[number])
            for number, value, support in zip(
                self.ids[best].tolist(), score.tolist(), self.support[best].tolist(), strict=True
            )
        ]
        ranked.sort()
        return [RankedNeighbor(name, -score, -support) for score, support, name in ranked[:count]]

    def _best(self, count: int) -> NDArray[np.intp]:
        """Return the indices of the `count` highest weights, and of those that differ by rounding only."""
        weight = self.weight
        if count >= len(weight):
            return np.arange(len(weight))
        threshold = float(np.partition(weight, -count)[-count])
        return np.flatnonzero(weight >= threshold - abs(threshold) * _TIE_TOLERANCE)


def empty_table(half_life_s: float = 1.0) -> NeighborTable:
    """Return a table without neighbors."""
    none = np.empty(0, dtype=np.int64)
    return NeighborTable(current_pool(), none, np.empty(0), none, half_life_s, NO_LANDMARK)


def rounded(score: float) -> float:
    """Round a score to ten significant digits."""
    return float(f"{score:.{_SIGNIFICANT_DIGITS}g}")


def scaled(weight: NDArray[np.float64], exponent: NDArray[np.int64]) -> NDArray[np.float64]:
    """Multiply weights by powers of two up to 1, which is exact. The exponent of a removal has no effect."""
    return np.ldexp(weight, np.clip(exponent, _LEAST_EXPONENT, 0).astype(np.int32))
