"""Ranks of products within their categories by how much they are bought."""

from bisect import bisect_right, insort


class CategoryRanks:
    """The purchases of products by category, as numbers that order them: see `SignalCounts.logarithm`.

    Args:
        least: The number of products as which a smaller category counts.
    """

    def __init__(self, least: int = 20) -> None:
        self._least = least
        self._of: dict[str, tuple[str, float]] = {}
        self._sorted: dict[str, list[float]] = {}

    def put(self, product: str, category: str | None, logarithm: float | None) -> None:
        """Set the purchases of a product; None, or no category, removes it."""
        before = self._of.pop(product, None)
        if before is not None:
            numbers = self._sorted[before[0]]
            del numbers[bisect_right(numbers, before[1]) - 1]
            if not numbers:
                del self._sorted[before[0]]
        if category is not None and logarithm is not None:
            self._of[product] = category, logarithm
            insort(self._sorted.setdefault(category, []), logarithm)

    def rank(self, product: str) -> float | None:
        """Return the share of the sold products of its category that are bought more, in [0, 1).

        A category of few sold products counts as one of 20: the first of it is among the best 5%, and the
        second is not. None if the product is not known.
        """
        found = self._of.get(product)
        if found is None:
            return None
        category, logarithm = found
        numbers = self._sorted[category]
        more = len(numbers) - bisect_right(numbers, logarithm)
        return more / max(len(numbers), self._least)
