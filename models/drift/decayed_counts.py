"""Counts over a decayed window: what was added weighs half after each half-life.

The decay is forward (Cormode et al., 2009): nothing is swept, and the order of additions does not matter.
"""

import numpy as np

from models.drift.bins import Counts

_LARGEST_EXPONENT = 60.0


class DecayedCounts:
    """A vector of decayed counts.

    Args:
        size: The length of the vector.
        half_life_s: The half-life in seconds.
    """

    def __init__(self, size: int, half_life_s: float) -> None:
        self._weights = np.zeros(size)
        self._half_life_s = half_life_s
        self._since: float | None = None

    def add(self, counts: Counts, now: float) -> None:
        """Add counts.

        Args:
            counts: Shape [size].
            now: The time in seconds, of any clock. It may go back.
        """
        if self._since is None:
            self._since = now
        exponent = (now - self._since) / self._half_life_s
        if exponent > _LARGEST_EXPONENT:
            self._weights = self.at(now)
            self._since, exponent = now, 0.0
        self._weights += counts * 2.0**exponent

    def at(self, now: float) -> Counts:
        """The decayed counts at a time in seconds, shape [size]."""
        since = now if self._since is None else self._since
        return np.asarray(self._weights * np.exp2((since - now) / self._half_life_s))
