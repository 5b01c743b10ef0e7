"""Computes related products from behavior events in one process, without Kafka."""

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from models.behavior.affinity_row import AffinityRow, affinity_updated, merge_rows
from models.behavior.deltas import DeltaBuilder
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from schemas.events import AffinityUpdated, UserBehavior


class AffinityAggregator:
    """Aggregates batches of behavior events into affinity rows, as the agents `sessions` and `affinity` do.

    Args:
        parameters: Half-life, session gap and bounds.
        shopper_of: Returns the key of an event's shopper.
    """

    def __init__(self, parameters: BehaviorParameters, shopper_of: Callable[[UserBehavior], str]) -> None:
        self._parameters = parameters
        self._shopper_of = shopper_of
        self._shoppers: dict[str, bytes] = {}
        self._products: dict[str, AffinityRow] = {}
        self._latest: dict[str, datetime] = {}

    @property
    def products(self) -> dict[str, AffinityRow]:
        """The row of every product that occurred in an event, by product id. Do not change it."""
        return self._products

    @property
    def shoppers(self) -> dict[str, bytes]:
        """The row of every shopper, by the shopper's key. Do not change it."""
        return self._shoppers

    def add(self, events: Iterable[UserBehavior]) -> None:
        """Add one batch of events in order of arrival.

        If an event raises, the rows stay as they were before the batch.

        Args:
            events: Events of any shoppers.
        """
        by_shopper: dict[str, list[UserBehavior]] = {}
        shoppers: dict[str, bytes] = {}
        products: dict[str, AffinityRow] = {}
        latest: dict[str, datetime] = {}
        for event in events:
            by_shopper.setdefault(self._shopper_of(event), []).append(event)
            product_id, time = event.product_id, event.occurred_at
            if product_id is None:
                continue
            if product_id not in self._products:
                products[product_id] = AffinityRow.empty()
            latest[product_id] = max(time, latest.get(product_id, self._latest.get(product_id, time)))
        pairs = DeltaBuilder()
        for shopper, shopper_events in by_shopper.items():
            data = self._shoppers.get(shopper)
            row = ShopperRow() if data is None else ShopperRow.from_bytes(data)
            shoppers[shopper] = apply_events(row, shopper_events, pairs, self._parameters).to_bytes()
        if len(pairs):
            products |= merge_rows(ChainMap(products, self._products), pairs.build(), self._parameters)
        self._shoppers.update(shoppers)
        self._products.update(products)
        self._latest.update(latest)

    def updates(self) -> Iterator[AffinityUpdated]:
        """Iterate over the events with each product's related products, by ascending product id.

        Without related products, `as_of` is the time of the product's latest event.
        """
        for product_id in sorted(self._products):
            row = self._products[product_id]
            yield affinity_updated(product_id, row, self._parameters, self._latest[product_id])
