"""Fills the list `recommended` of published events from the views of products and of related products."""

import threading
from collections.abc import Callable, Collection, Iterable
from time import monotonic

import msgspec

from models.behavior.affinity_row import AffinityRow
from models.behavior.parameters import BehaviorParameters
from models.behavior.recommended import TEXT_NEIGHBORS, own_scores, recommend
from schemas.events import AffinityUpdated, Recommended
from streams.agents.affinity_view import AffinityView
from streams.agents.product_view import ProductView

_KEPT = 20_000
_STALE = 0.02
"""Texts are searched again after the number of products has changed by this share."""
REUSED_S = 60.0
"""A product's list is computed once in this time. A busy product is published far more often."""


class Recommendations:
    """Recommends products beside another one, with the texts' nearest products kept in memory.

    The threads of several lanes may use it at the same time.

    Args:
        product_view: Finds the products with the nearest texts.
        affinity_view: Knows the rows of products of all partitions, and the popular products.
        parameters: The length of a list.
        clock: Returns a time in seconds that never goes back.
    """

    def __init__(
        self,
        product_view: ProductView,
        affinity_view: AffinityView,
        parameters: BehaviorParameters,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._product_view = product_view
        self._affinity_view = affinity_view
        self._parameters = parameters
        self._nearest: dict[str, list[tuple[str, float]]] = {}
        self._products = 0
        self._clock = clock
        self._lock = threading.Lock()
        # By product: when its list was computed, from how many neighbors, and the list.
        self._computed: dict[str, tuple[float, int, list[Recommended]]] = {}

    def search(self, products: Collection[str]) -> None:
        """Search for the nearest texts of products whose lists are to be computed. One search is cheaper."""
        with self._lock:
            now = self._clock()
            self._search([product for product in products if self._reusable(product, now) is None])

    def _search(self, products: Collection[str]) -> None:
        listed = len(self._product_view)
        if len(self._nearest) > _KEPT or abs(listed - self._products) > _STALE * self._products:
            self._nearest, self._products = {}, listed
        missing = sorted({product for product in products if product not in self._nearest})
        if missing and len(self._affinity_view):
            found = self._product_view.similar(missing, TEXT_NEIGHBORS, 0.0)
            self._nearest.update({product: found.get(product, []) for product in missing})

    def forget(self, products: Iterable[str]) -> None:
        """Forget the nearest texts of products whose own text may have changed."""
        with self._lock:
            for product in products:
                self._nearest.pop(product, None)
                self._computed.pop(product, None)

    def added(
        self, update: AffinityUpdated, row: AffinityRow, may_relate: Callable[[str], bool]
    ) -> AffinityUpdated:
        """Return an event with its recommended products.

        Args:
            update: The event, with keys for ids.
            row: The product's row.
            may_relate: Whether a product may be published as related.
        """
        with self._lock:
            recommended = self._current(update, row, may_relate)
        return msgspec.structs.replace(update, recommended=recommended)

    def _current(
        self, update: AffinityUpdated, row: AffinityRow, may_relate: Callable[[str], bool]
    ) -> list[Recommended]:
        """Return the list of a product, computed a minute ago at most."""
        key, now = update.product_id, self._clock()
        last = self._reusable(key, now)
        if last is not None:
            return last
        recommended = self._recommend(key, update, row, may_relate)
        if len(self._computed) >= _KEPT:
            self._computed.clear()
        self._computed[key] = (now, len(update.related), recommended)
        return recommended

    def _reusable(self, product: str, now: float) -> list[Recommended] | None:
        """Return the list of a product if it need not be computed again yet."""
        last = self._computed.get(product)
        # The first neighbors of a product change its list most.
        if last is not None and now - last[0] < REUSED_S and last[1] >= self._parameters.top_k:
            return last[2]
        return None

    def _recommend(
        self, key: str, update: AffinityUpdated, row: AffinityRow, may_relate: Callable[[str], bool]
    ) -> list[Recommended]:
        as_of = update.as_of.timestamp()
        self._search([key])
        return recommend(
            key,
            own_scores(row, self._parameters),
            self._affinity_view.mixed(self._nearest.get(key, ()), as_of),
            self._affinity_view.popular(key, as_of),
            self._parameters.top_k,
            may_relate,
        )
