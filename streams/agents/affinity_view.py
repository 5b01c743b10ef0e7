"""The affinity view: a read view of the topic affinity-updated in memory, as a GlobalKTable.

The agent `sessions` looks up what follows on the products of a session. They may be of any partition, so each
worker reads the whole compacted topic, and keeps the best 20 related products of each relation by behavior.
The view lags the topic by a fraction of a second. It is not a part of the transactions: outputs that derive
from it reflect the view at that moment.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec
import structlog

from models.behavior.parameters import BehaviorParameters
from models.behavior.popular_products import PopularProducts
from models.behavior.preference import ACTION_WEIGHT
from models.behavior.recommended import RELATION_WEIGHT
from models.behavior.related_lists import RELATIONS, RelatedList, RelatedLists
from schemas.events import Action, Relation
from schemas.product_identity import ProductIdentity
from streams.records import Record

log = structlog.get_logger()


_Score = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]


class _Related(msgspec.Struct, gc=False):
    product_id: str
    # A later release may publish a relation that is not known here.
    relation: str
    score: _Score


class _Affinity(msgspec.Struct):
    """The fields of affinity-updated that the view keeps."""

    as_of: datetime
    related: list[_Related] = []
    # Missing in what an earlier release published.
    sessions: dict[str, _Score] = {}
    shop_id: str | None = None


_WEIGHT = {
    Relation.VIEWED: ACTION_WEIGHT[Action.VIEW],
    Relation.CARTED: ACTION_WEIGHT[Action.CART],
    Relation.BOUGHT: ACTION_WEIGHT[Action.PURCHASE],
}


class _Listed(NamedTuple):
    """What is kept of an event: its list, its sessions weighted by relation, and its shop."""

    related: RelatedList
    sessions: float
    shop_id: str | None


POPULAR = 60
"""Popular products of a shop that are known: more than are published, since some are left out."""
_MIXED = 60
_DECODER = msgspec.json.Decoder(_Affinity)


class AffinityView:
    """The related products of each product. Threads may read and write at the same time.

    Products are named by their keys, which `identity` defines. `version` grows with each changed product.

    Args:
        bound: The maximum number of products. Those published longest ago are dropped first.
        identity: What makes two products the same, and whether shops count.
        half_life_days: The half-life of published scores.
        shop_of: Returns the shop of a product whose id is unique over all shops; None if it is not known.
    """

    def __init__(
        self,
        bound: int,
        identity: ProductIdentity | None = None,
        half_life_days: float = BehaviorParameters().half_life_days,
        shop_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._identity = identity or ProductIdentity()
        self._shop_of = shop_of
        self._lists = RelatedLists(bound)
        self._half_life_s = half_life_days * 86_400.0
        # By shop; one entry where shops do not count.
        self._popular: dict[str | None, PopularProducts] = {}
        self._lock = threading.Lock()
        self.version = 0

    def __len__(self) -> int:
        return len(self._lists)

    def update(self, records: Iterable[Record]) -> None:
        """Apply records of affinity-updated. Null removes the product. Invalid records are ignored."""
        last: dict[str, _Listed | None] = {}
        for record in records:
            if record.key is None:
                continue
            try:
                product_id = record.key.decode()
                last[product_id] = None if record.value is None else self._decoded(record.value)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                log.warning(
                    "ignoring an affinity-updated record of another program",
                    offset=record.offset,
                    error=str(error),
                )
        with self._lock:
            self.version += len(last)
            for product_id, listed in last.items():
                if listed is None:
                    self._lists.withdraw(product_id)
                    for popular in self._popular.values():
                        popular.remove(product_id)
                else:
                    self._lists.put(product_id, listed.related)
                    self._put_popular(product_id, listed)

    def _put_popular(self, product_id: str, listed: _Listed) -> None:
        shop = self._shop(product_id, listed.shop_id)
        if shop is not None and None in self._popular:
            # It was published before its listing told the shop.
            self._popular[None].remove(product_id)
        popular = self._popular.setdefault(shop, PopularProducts(POPULAR, self._half_life_s))
        popular.put(product_id, listed.sessions, listed.related.as_of)

    def _shop(self, product_id: str, shop_id: str | None) -> str | None:
        return self._shop_of(product_id) if self._identity.separate else shop_id

    def of(self, product_id: str) -> RelatedList | None:
        """Return what is related to a product by behavior, without withdrawn products; None if unknown."""
        with self._lock:
            return self._lists.of(product_id)

    def top(self, product_id: str) -> list[tuple[str, Relation, float]]:
        """Return what is related to a product by behavior: product, relation, and score as published.

        Returns:
            At most 20 products of each relation, best first within a relation.
        """
        listed = self.of(product_id)
        if listed is None:
            return []
        return [(name, kind, score) for kind, best in listed.related.items() for name, score in best]

    def weights(self) -> list[tuple[str, float, float]]:
        """Return the weight of all behavior with each product, and the time to which it is decayed."""
        with self._lock:
            return self._lists.weights()

    def mixed(self, weights: Iterable[tuple[str, float]], as_of: float) -> list[tuple[str, float]]:
        """Add up what is related to some products, weighted by relation.

        Args:
            weights: Products with the weights of their lists.
            as_of: The time to decay scores to, in seconds since 1970.
        """
        with self._lock:
            return self._lists.mixed(weights, RELATION_WEIGHT, as_of, self._half_life_s, _MIXED)

    def popular(self, product_id: str, as_of: float) -> list[tuple[str, float]]:
        """Return the products of the most sessions in a product's shop, with their decayed numbers.

        Args:
            product_id: The key of a product.
            as_of: The time to decay to, in seconds since 1970.
        """
        with self._lock:
            popular = self._popular.get(self._shop(product_id, self._identity.shop_id(product_id)))
            return [] if popular is None else list(popular.best(as_of))

    def _decoded(self, value: bytes) -> _Listed:
        event = _DECODER.decode(value)
        related: dict[Relation, list[tuple[str, float]]] = {}
        weight = 0.0
        for relation in RELATIONS:
            related[relation] = [
                (self._identity.key(event.shop_id, each.product_id), each.score)
                for each in event.related
                if each.relation == relation
            ]
            # No fewer sessions than with the neighbor of the most.
            sessions = max([score for _, score in related[relation][:1]], default=0.0)
            weight += max(0.0, event.sessions.get(relation, sessions)) * _WEIGHT[relation]
        listed = RelatedList(event.as_of.timestamp(), related, weight)
        sessions = sum(each * event.sessions.get(kind, 0.0) for kind, each in RELATION_WEIGHT.items())
        return _Listed(listed, sessions, event.shop_id if self._identity.own_ids else None)
