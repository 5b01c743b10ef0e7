"""Answers about one product or shopper, from the committed rows of the agents `affinity` and `sessions`."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from models.behavior.affinity_row import AffinityRow, affinity_updated
from models.behavior.event_time import instant
from models.behavior.noised_updates import NoisedUpdates
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow
from schemas.codec import encode
from schemas.events import ShopperUpdated
from schemas.product_identity import ProductIdentity
from streams.agents.affinity_events import as_published, may_relate_to, titled_affinity
from streams.agents.erasures import ShopperTableRow
from streams.agents.product_view import ProductView
from streams.agents.recommendations import Recommendations
from streams.state.tables import TableSpec

V = TypeVar("V")

Answer = Callable[[], bytes | None]
"""Computes the JSON of an answer from a row that was read; None if there is nothing to tell."""


class CommittedRows(Protocol):
    """A lane, as far as queries read it."""

    def committed_row(self, table: TableSpec[V], key: bytes) -> V | None:
        """Return a row as it was last committed.

        Raises:
            RetryLater: The table is not restored.
        """
        ...


class Queries:
    """Reads rows at once, and leaves it to the caller where the answer is computed.

    Args:
        affinities: The table of related products.
        shoppers: The table of shoppers.
        shopper_event: Returns the event of a shopper's row.
        product_view: Has the titles.
        recommendations: Recommend products. No agent uses them: one thread at a time may.
        parameters: What the agents publish with.
        identity: What makes two products the same.
        noise: Adds noise to what is published; None if it is exact.
    """

    def __init__(
        self,
        affinities: TableSpec[AffinityRow],
        shoppers: TableSpec[ShopperTableRow],
        shopper_event: Callable[[str, ShopperRow], ShopperUpdated | None],
        product_view: ProductView,
        recommendations: Recommendations,
        parameters: BehaviorParameters,
        identity: ProductIdentity,
        noise: NoisedUpdates | None = None,
    ) -> None:
        self._affinities = affinities
        self._shoppers = shoppers
        self._shopper_event = shopper_event
        self._view = product_view
        self._recommendations = recommendations
        self._parameters = parameters
        self._identity, self._noise = identity, noise

    def affinity(self, rows: CommittedRows, product: str) -> Answer:
        """Read the row of a product. The answer is its affinity-updated as of now, with titles."""
        row = rows.committed_row(self._affinities, product.encode())
        return lambda: None if row is None else self._affinity(product, row)

    def shopper(self, rows: CommittedRows, shopper: str) -> Answer:
        """Read the row of a shopper. The answer is its shopper-updated as of now."""
        row = rows.committed_row(self._shoppers, shopper.encode())
        return lambda: self._shopper(shopper, row) if isinstance(row, ShopperRow) else None

    def _affinity(self, product: str, row: AffinityRow) -> bytes:
        view, parameters = self._view, self._parameters
        similar = {}
        if not row.has_neighbors():
            similar = view.similar([product], parameters.top_k, parameters.similar_min_cosine)
        may_relate = may_relate_to(product, view, self._identity)
        listed_at = instant(view.listed_at(product) or 0.0)
        update = affinity_updated(product, row, parameters, listed_at, similar.get(product, ()), may_relate)
        if self._noise is not None:
            update = self._noise.noised(update, parameters)
        else:
            # The text may have changed since the last request.
            self._recommendations.forget([product])
            update = self._recommendations.added(update, row, may_relate)
        return titled_affinity(as_published(update, self._identity), view.title_of, self._identity)

    def _shopper(self, shopper: str, row: ShopperRow) -> bytes | None:
        event = self._shopper_event(shopper, row)
        return None if event is None else encode(event)
