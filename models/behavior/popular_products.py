"""The products of the most sessions, in bounded memory."""

from collections.abc import Iterator
from math import log2

_KEPT_FOR_ONE = 4
"""Products kept for each one that is returned, so that those whose number falls are replaced."""


class PopularProducts:
    """Keeps the products with the highest decayed numbers of sessions.

    Numbers that were set at different times are compared by their logarithm at a common time.

    Args:
        count: How many products to return.
        half_life_s: Half-life of the numbers, in seconds.
    """

    def __init__(self, count: int, half_life_s: float) -> None:
        self._count = count
        self._half_life_s = half_life_s
        # By product: the logarithm of the number, and the time that it is as of.
        self._sessions: dict[str, tuple[float, float]] = {}
        self._best: list[tuple[str, tuple[float, float]]] | None = None

    def put(self, product_id: str, sessions: float, as_of: float) -> None:
        """Set a product's decayed number of sessions as of a time in seconds since 1970."""
        if sessions <= 0.0:
            self.remove(product_id)
            return
        self._sessions[product_id] = (log2(sessions), as_of)
        self._best = None
        if len(self._sessions) > 2 * _KEPT_FOR_ONE * self._count:
            self._sessions = dict(self._ordered()[: _KEPT_FOR_ONE * self._count])

    def remove(self, product_id: str) -> None:
        """Leave a product out."""
        if self._sessions.pop(product_id, None) is not None:
            self._best = None

    def best(self, as_of: float) -> Iterator[tuple[str, float]]:
        """Iterate over the products with the most sessions, best first, decayed to a time.

        Numbers that were set after `as_of` count as of that time.
        """
        if self._best is None:
            self._best = self._ordered()[: self._count]
        for product, (log_sessions, time) in self._best:
            yield product, float(2.0 ** (log_sessions + min(0.0, (time - as_of) / self._half_life_s)))

    def _ordered(self) -> list[tuple[str, tuple[float, float]]]:
        return sorted(
            self._sessions.items(),
            key=lambda item: (-(item[1][0] + item[1][1] / self._half_life_s), item[0]),
        )
