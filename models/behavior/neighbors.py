"""A product's neighbours in one relation: decaying weights, column by column, never swept.

Decay is exponential and forward (Cormode, Shkapenyuk, Srivastava and Xu, "Forward Decay", ICDE 2009): a
session at time s weighs 2^((s - t) / half-life) at time t. Each neighbour keeps its weight at the time of
its own latest session; older sessions add what is left of them by then, so the order of arrival does not
matter, and exponents are never positive, so nothing overflows over any range of years.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_Kind = TypeVar("_Kind", np.float64, np.int64)

_SIGNIFICANT = 10
_TIE = 1e-9
_SUPPORT_MAX = 0xFFFFFFFF


class Ranked(NamedTuple):
    """A neighbour with its score at some time and the sessions behind it."""

    product_id: str
    score: float
    support: int


class NeighbourTable:
    """An immutable table of n neighbours: every change gives a new table.

    Attributes:
        ids: The neighbours' product ids, each once.
        weight: Weight at `time`; float64, shape (n,), never negative.
        time: Event time of the latest session, in seconds; float64, shape (n,).
        support: Sessions, undecayed; int64, shape (n,).
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
    def empty(cls) -> "NeighbourTable":
        """A table without neighbours."""
        return cls([], np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    def added(
        self,
        neighbours: Sequence[str],
        time: NDArray[np.float64],
        weight: NDArray[np.float64],
        support: NDArray[np.int32],
        half_life_s: float,
    ) -> "NeighbourTable":
        """This table with m sessions more; a neighbour may occur several times.

        Args:
            neighbours: Whom each session adds to, length m.
            time: When, in seconds; shape (m,).
            weight: Its weight at that time; shape (m,).
            support: Sessions to add; shape (m,).
            half_life_s: Half-life in seconds.
        """
        # Not kept: it would take more memory than all columns, and is made in microseconds.
        index = dict(zip(self.ids, range(len(self.ids)), strict=True))
        ids, old = self.ids, len(self.ids)
        new = [name for name in dict.fromkeys(neighbours) if name not in index]
        if new:
            ids = ids + new
            index.update(zip(new, range(old, len(ids)), strict=True))
        place = np.fromiter(map(index.__getitem__, neighbours), np.intp, len(neighbours))
        latest = _grown(self.time, len(ids), -np.inf)
        np.maximum.at(latest, place, time)
        gained = weight * np.exp2((time - latest[place]) / half_life_s)
        total = np.bincount(place, gained, len(ids)).astype(np.float64)
        total[:old] += self.weight * np.exp2((self.time - latest[:old]) / half_life_s)
        sessions = np.bincount(place, support, len(ids)).astype(np.int64)
        sessions[:old] += self.support
        table = NeighbourTable(ids, np.maximum(total, 0.0), latest, np.minimum(sessions, _SUPPORT_MAX))
        # A correction can meet a neighbour that was evicted before; it must not bring it back.
        return table if sessions.min(initial=1) > 0 else table._kept(np.flatnonzero(sessions > 0))

    def without(self, neighbour: str) -> "NeighbourTable":
        """This table without `neighbour`; itself if it was not there."""
        if neighbour not in self.ids:
            return self
        return self._kept(np.flatnonzero([name != neighbour for name in self.ids]))

    def pruned(self, bound: int, half_life_s: float) -> "NeighbourTable":
        """This table with at most `bound` neighbours: the smallest decayed weights go, ties by id."""
        if len(self.ids) <= bound:
            return self
        return self._kept(np.sort(self._best(bound, half_life_s)))

    def _kept(self, places: NDArray[np.intp]) -> "NeighbourTable":
        ids = self.ids
        return NeighbourTable(
            [ids[place] for place in places.tolist()],
            self.weight[places],
            self.time[places],
            self.support[places],
        )

    def _best(self, count: int, half_life_s: float) -> NDArray[np.intp]:
        """The places of the `count` heaviest, in no order; ties by support, then by id.

        Weights compare by their logarithm at a common landmark, which neither over- nor underflows. What is
        equal but for rounding counts as a tie, so that the way of adding up does not decide.
        """
        with np.errstate(divide="ignore"):
            height = np.log2(self.weight) + self.time / half_life_s
        if count >= len(height):
            return np.arange(len(height))
        border = np.partition(height, -count)[-count]
        # A weight that underflowed has no height, and -inf minus -inf is no number.
        margin = _TIE if border > -np.inf else 0.0
        sure = np.flatnonzero(height > border + margin)
        ties = np.flatnonzero((height >= border - margin) & (height <= border + margin))
        return np.concatenate([sure, self._first(ties, count - len(sure))])

    def _first(self, places: NDArray[np.intp], count: int) -> NDArray[np.intp]:
        """The first `count` of `places` by falling support, then by id."""
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

    def top(self, count: int, as_of: float, half_life_s: float) -> list[Ranked]:
        """The `count` neighbours that weigh most at time `as_of`, best first; ties by support, then by id.

        Scores have ten significant digits, so that equal ones are equal whatever the order of adding up.
        """
        if not self.ids:
            return []
        best = self._best(count, half_life_s)
        score = self.weight[best] * np.exp2((self.time[best] - as_of) / half_life_s)
        ranked = [
            Ranked(self.ids[place], float(f"{value:.{_SIGNIFICANT}g}"), support)
            for place, value, support in zip(
                best.tolist(), score.tolist(), self.support[best].tolist(), strict=True
            )
        ]
        ranked.sort(key=lambda entry: (-entry.score, -entry.support, entry.product_id))
        return ranked


def _grown(column: NDArray[_Kind], rows: int, fill: float) -> NDArray[_Kind]:
    grown = np.full(rows, fill, dtype=column.dtype)
    grown[: len(column)] = column
    return grown
