"""Baselines: the products that were most often together with another one, and the most popular ones."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.behavior.evaluation.baskets import Basket

_DAY_S = 86_400.0
_PAIRS_AT_ONCE = 4_000_000

Weighting = Callable[[Basket], float]
"""The weight of each pair of a basket; 0 if the basket does not count."""


def decayed(as_of: float, half_life_days: float) -> Weighting:
    """Return the weighting that halves after each `half_life_days` before `as_of`."""
    return lambda basket: float(2.0 ** ((basket.time - as_of) / (half_life_days * _DAY_S)))


def at_most(products: int) -> Weighting:
    """Return the weighting of 1 for baskets of at most so many products; larger ones do not count."""
    return lambda basket: 1.0 if len(basket.products) <= products else 0.0


def popular(baskets: Iterable[Basket], weighting: Weighting, count: int) -> list[str]:
    """Return the products of the greatest weight, best first; ties by id."""
    weights: Counter[str] = Counter()
    for basket in baskets:
        weight = weighting(basket)
        for product in basket.products:
            weights[product] += weight  # type: ignore[assignment]
    return sorted(weights, key=lambda product: (-weights[product], product))[:count]


def top_together(
    baskets: Sequence[Basket], weightings: Sequence[Weighting], count: int
) -> list[dict[str, list[str]]]:
    """Count how often products are together, and return each product's best ones.

    Args:
        baskets: Baskets to count.
        weightings: Ways to weight a basket.
        count: Products per list at most.

    Returns:
        For each weighting the lists by product, best first; ties by id.
    """
    ids = sorted({product for basket in baskets for product in basket.products})
    number = {product: place for place, product in enumerate(ids)}
    keys, weights = _Pairs(len(ids), len(weightings)).count(baskets, number, weightings)
    return [_lists(keys, column, ids, count) for column in weights.T]


class _Pairs:
    """Sums weights by pair, in a bounded number of unsummed pairs.

    Args:
        products: The number of products.
        columns: The number of weights of a pair.
    """

    def __init__(self, products: int, columns: int) -> None:
        self._products = products
        self._keys = [np.empty(0, dtype=np.int64)]
        self._weights = [np.empty((0, columns))]
        self._unsummed = 0

    def count(
        self, baskets: Iterable[Basket], number: dict[str, int], weightings: Sequence[Weighting]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the pairs' keys (lower number * products + higher number), and their weights by column."""
        for basket in baskets:
            places = np.sort(np.array([number[product] for product in basket.products], dtype=np.int64))
            first, second = np.triu_indices(len(places), 1)
            self._keys.append(places[first] * self._products + places[second])
            row = np.array([[weighting(basket) for weighting in weightings]])
            self._weights.append(np.broadcast_to(row, (len(first), len(weightings))))
            self._unsummed += len(first)
            if self._unsummed > _PAIRS_AT_ONCE:
                self._sum()
        self._sum()
        return self._keys[0], self._weights[0]

    def _sum(self) -> None:
        keys, place = np.unique(np.concatenate(self._keys), return_inverse=True)
        columns = np.concatenate(self._weights).T
        self._keys = [keys]
        self._weights = [
            np.stack([np.bincount(place.ravel(), column, len(keys)) for column in columns], axis=1)
        ]
        self._unsummed = 0


def _lists(
    keys: NDArray[np.int64], weights: NDArray[np.float64], ids: Sequence[str], count: int
) -> dict[str, list[str]]:
    counted = weights > 0.0
    low, high = np.divmod(keys[counted], max(1, len(ids)))
    product, other = np.concatenate([low, high]), np.concatenate([high, low])
    # Products are numbered in order of their ids, so that a tie of numbers is one of ids.
    order = np.lexsort((other, -np.tile(weights[counted], 2), product))
    product, other = product[order], other[order]
    starts = np.flatnonzero(np.diff(product, prepend=-1)).tolist()
    return {
        ids[product[start]]: [ids[place] for place in other[start : min(end, start + count)].tolist()]
        for start, end in pairwise([*starts, len(product)])
    }
