"""The taste of a shop's average shopper, from what the views have at the moment.

The affinity view has the weight of all behavior with a product, and the product view has its labels. The mean
is computed again when a tenth of either has changed, at once for all lanes of the worker.
"""

import threading
from collections.abc import Iterator

import numpy as np

from models.behavior.taste_mean import NO_MEAN, TasteMean, taste_mean
from streams.agents.affinity_view import AffinityView
from streams.agents.product_view import ProductView

_LEAST_CHANGES = 1
_SHARE_OF_CHANGES = 0.1
_LATEST = 0.99
"""The quantile of products by time to which weights are decayed: single wild times do not count."""


class ShopTaste:
    """The mean over all behavior that the views know. Threads may call it at the same time.

    Args:
        product_view: Has the labels.
        affinity_view: Has the weights.
        half_life_s: The half-life of weights, in seconds.
    """

    def __init__(self, product_view: ProductView, affinity_view: AffinityView, half_life_s: float) -> None:
        self._product_view, self._affinity_view = product_view, affinity_view
        self._half_life_s = half_life_s
        self._lock = threading.Lock()
        self._mean = NO_MEAN
        # How many products were published, and how many were listed, when the mean was computed.
        self._published, self._listed = 0, 0

    def mean(self) -> TasteMean:
        """Return the mean. A caller that finds another one computing it gets the one before."""
        if self._is_old() and self._lock.acquire(blocking=False):
            try:
                self._published, self._listed = self._affinity_view.version, len(self._product_view)
                self._mean = taste_mean(self._weights(), self._product_view.describe)
            finally:
                self._lock.release()
        return self._mean

    def _is_old(self) -> bool:
        published = self._affinity_view.version - self._published
        listed = abs(len(self._product_view) - self._listed)
        return published >= max(_LEAST_CHANGES, _SHARE_OF_CHANGES * len(self._affinity_view)) or (
            listed >= max(_LEAST_CHANGES, _SHARE_OF_CHANGES * self._listed)
        )

    def _weights(self) -> Iterator[tuple[str, float]]:
        """Return the products with their weights, decayed to the time of the latest ones."""
        weights = self._affinity_view.weights()
        if not weights:
            return
        times = np.array([as_of for _, _, as_of in weights])
        ages = np.maximum(np.quantile(times, _LATEST) - times, 0.0)
        decays = np.exp2(-ages / self._half_life_s).tolist()
        for (product_id, weight, _), decay in zip(weights, decays, strict=True):
            yield product_id, weight * decay
