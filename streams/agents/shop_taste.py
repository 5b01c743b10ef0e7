"""The taste of each shop's average shopper, from what the views have at the moment.

The affinity view has the weight of all behavior with a product, and the product view has its labels and its
shop. The means are computed again when a tenth of either view has changed, for all lanes of the worker.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from models.behavior.taste_mean import NO_MEAN, TasteMean, blended, taste_mean
from streams.agents.affinity_view import AffinityView
from streams.agents.product_view import ProductView

_LEAST_CHANGES = 1
_SHARE_OF_CHANGES = 0.1
_LATEST = 0.99
"""The quantile of products by time to which weights are decayed: single wild times do not count."""
_MOST_SHOPS = 4
"""A shopper's mean blends those of the shops where most of the shopper's products are."""


class ShopTaste:
    """The means over all behavior that the views know, by shop. Threads may call it at the same time.

    Args:
        product_view: Has the labels.
        affinity_view: Has the weights.
        half_life_s: The half-life of weights, in seconds.
    """

    def __init__(self, product_view: ProductView, affinity_view: AffinityView, half_life_s: float) -> None:
        self._product_view, self._affinity_view = product_view, affinity_view
        self._half_life_s = half_life_s
        self._lock = threading.Lock()
        self._means: dict[str, TasteMean] = {}
        # How many products were published, and how many were listed, when the means were computed.
        self._published, self._listed = 0, 0

    def mean(self, products: Iterable[str]) -> TasteMean:
        """Return the mean of the shops of a shopper's products; empty where no shop is known.

        A caller that finds another one computing it gets the one before.
        """
        if self._is_old() and self._lock.acquire(blocking=False):
            try:
                self._published, self._listed = self._affinity_view.version, len(self._product_view)
                self._means = self._computed()
            finally:
                self._lock.release()
        shops = Counter(shop for each in products if (shop := self._shop_of(each)) is not None)
        means = [(count, self._means.get(shop, NO_MEAN)) for shop, count in shops.most_common(_MOST_SHOPS)]
        return blended(means)

    def _is_old(self) -> bool:
        published = self._affinity_view.version - self._published
        listed = abs(len(self._product_view) - self._listed)
        return published >= max(_LEAST_CHANGES, _SHARE_OF_CHANGES * len(self._affinity_view)) or (
            listed >= max(_LEAST_CHANGES, _SHARE_OF_CHANGES * self._listed)
        )

    def _shop_of(self, product_id: str) -> str | None:
        """Return the shop of a listed product; empty where the release that listed it did not tell."""
        shop = self._product_view.shop_of(product_id)
        return "" if shop is None and self._product_view.describe(product_id) is not None else shop

    def _computed(self) -> dict[str, TasteMean]:
        """Return the mean of each shop. Weights are decayed to the time of the latest ones of all shops."""
        weights = self._affinity_view.weights()
        if not weights:
            return {}
        times = np.array([as_of for _, _, as_of in weights])
        ages = np.maximum(np.quantile(times, _LATEST) - times, 0.0)
        decays = np.exp2(-ages / self._half_life_s).tolist()
        by_shop: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
        for (product_id, weight, _), decay in zip(weights, decays, strict=True):
            shop = self._shop_of(product_id)
            if shop is not None:
                by_shop[shop].append((product_id, weight * decay))
        describe = self._product_view.describe
        return {shop: taste_mean(products, describe) for shop, products in by_shop.items()}
