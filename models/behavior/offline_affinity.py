"""Behaviour to affinities in one process: what the agents do, without the topics between them."""

from collections.abc import Callable, Iterable, Iterator

from models.behavior.affinity_row import AffinityRow, affinity_updated
from models.behavior.deltas import DeltaBuilder
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply
from schemas.events import AffinityUpdated, UserBehavior


class AffinityFold:
    """Folds batches of behaviour into products' rows.

    Args:
        parameters: Half-life, gap and bounds.
        shopper_of: The key of an event's shopper.
    """

    def __init__(self, parameters: BehaviorParameters, shopper_of: Callable[[UserBehavior], str]) -> None:
        self._parameters = parameters
        self._shopper_of = shopper_of
        self._shoppers: dict[str, bytes] = {}
        self._products: dict[str, AffinityRow] = {}

    @property
    def products(self) -> dict[str, AffinityRow]:
        """Every product that was ever in an event, by its id. Not to be changed."""
        return self._products

    def add(self, events: Iterable[UserBehavior]) -> None:
        """Fold one batch, in order of arrival. A failure leaves the state as it was."""
        mine: dict[str, list[UserBehavior]] = {}
        shoppers: dict[str, bytes] = {}
        products: dict[str, AffinityRow] = {}
        for event in events:
            mine.setdefault(self._shopper_of(event), []).append(event)
            if event.product_id not in self._products:
                products[event.product_id] = AffinityRow.empty()
        pairs = DeltaBuilder()
        for shopper, theirs in mine.items():
            data = self._shoppers.get(shopper)
            row = ShopperRow() if data is None else ShopperRow.from_bytes(data)
            shoppers[shopper] = apply(row, theirs, pairs, self._parameters).to_bytes()
        for product_id, deltas in pairs.build().by_product():
            known = self._products.get(product_id) or products[product_id]
            products[product_id] = known.merged(deltas, self._parameters)
        self._shoppers.update(shoppers)
        self._products.update(products)

    def updates(self) -> Iterator[AffinityUpdated]:
        """The final event of each product, by ascending product id."""
        for product_id in sorted(self._products):
            yield affinity_updated(product_id, self._products[product_id], self._parameters)
