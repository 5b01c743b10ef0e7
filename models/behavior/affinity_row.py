"""The affinity row of a product: its neighbors by relation, and the last published list.

A row is one binary value. It contains a digest of the published order and the published scores, so that a
change below the threshold `publish_change` is not published again.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from models.behavior.deltas import RELATIONS, REMOVAL, DeltaBuilder, Deltas
from models.behavior.event_time import instant
from models.behavior.neighbors import NeighborTable, RankedNeighbor, empty_table, rounded
from models.behavior.parameters import BehaviorParameters
from models.behavior.publication import publishable, ranked_count
from models.behavior.row_codec import Published, decode_row, encode_row, from_short_floats, short_floats
from models.behavior.row_merge import merge_deltas
from models.behavior.signals import Partner
from schemas.events import AffinityUpdated, Related, Relation

_NO_EVENTS = float("-inf")
_HALF_LIFE_S = BehaviorParameters().half_life_s
_LEAST_CHANGE = 0.005
"""Published scores are kept with a precision of 0.4%."""


class AffinityRow:
    """An immutable affinity row. `merged` and `with_published` return new rows.

    Attributes:
        as_of: The latest event time in the row, in seconds since 1970; -inf if there is none.
        is_current: Whether the row was stored in the current version, or not stored yet. A row of an earlier
            version is written whole when it changes.
    """

    __slots__ = ("_published", "_tables", "as_of", "is_current")

    def __init__(
        self,
        tables: tuple[NeighborTable, ...],
        as_of: float,
        published: Published,
        *,
        is_current: bool = True,
    ) -> None:
        self._tables = tables
        self._published = published
        self.as_of = as_of
        self.is_current = is_current

    @classmethod
    def empty(cls) -> "AffinityRow":
        """Return the row of a product without events."""
        return cls(tuple(empty_table() for _ in RELATIONS), _NO_EVENTS, Published())

    @classmethod
    def mark(cls, as_of: float) -> "AffinityRow":
        """Return a row with a time and nothing else, which marks a product in a table of rows."""
        return cls(cls.empty()._tables, as_of, Published())

    @classmethod
    def from_bytes(cls, data: bytes, half_life_s: float = _HALF_LIFE_S) -> "AffinityRow":
        """Decode a row of this version, or of the one before.

        Args:
            data: The row.
            half_life_s: The half-life, which rows of version 1 did not contain.

        Raises:
            StopWorker: The row is of another version, or damaged.
        """
        row = decode_row(data, half_life_s)
        return cls(row.tables, row.as_of, row.published, is_current=row.is_current)

    def to_bytes(self) -> bytes:
        """Encode the row."""
        return encode_row(self.as_of, self._published, self._tables)

    def merged(self, deltas: Deltas, parameters: BehaviorParameters) -> "AffinityRow":
        """Apply deltas of this product in their order; see `merge_rows`."""
        product = deltas.ids[int(deltas.product[0])]
        return merge_rows({product: self}, deltas, parameters)[product]

    def neighbors(self) -> list[str]:
        """Return the distinct neighbors of all relations, sorted by id."""
        return sorted({name for table in self._tables for name in table.names()})

    def has_neighbors(self) -> bool:
        """Whether the product has a neighbor in any relation."""
        return any(len(table) for table in self._tables)

    def top_k(self, relation: Relation, k: int, as_of: float | None = None) -> list[RankedNeighbor]:
        """Return the neighbors of a relation with the highest scores; ties by support, then by id.

        Args:
            relation: `viewed`, `carted` or `bought`.
            k: The maximum number of neighbors.
            as_of: The time to decay scores to, in seconds since 1970; the row's `as_of` if None.

        Returns:
            Neighbors with score and support (sessions), best first.
        """
        when = self.as_of if as_of is None else as_of
        return self._tables[RELATIONS.index(relation)].top(k, when)

    def error(self, relation: Relation) -> float:
        """Return by how much a relation's scores are too low at most, at the row's `as_of`. None is too high.

        It is 0 as long as the product never had more neighbors than a row counts.
        """
        table = self._tables[RELATIONS.index(relation)]
        return table.error * table.decay(self.as_of) if table.error else 0.0

    def sessions(self, min_support: int = 1) -> dict[str, float]:
        """Return the decayed number of sessions with this product at the row's `as_of`, by relation.

        Args:
            min_support: The number of sessions without decay from which on a relation is there.
        """
        return {
            relation.value: rounded(max(0.0, table.own_weight) * table.decay(self.as_of))
            for relation, table in zip(RELATIONS, self._tables, strict=True)
            if table.own_support >= max(1, min_support)
        }

    def partners(self, count: int, min_support: int = 1) -> dict[str, Partner]:
        """Return the products that were most often bought with this one, by id.

        Args:
            count: The maximum number of products.
            min_support: The number of sessions without decay from which on a product is told.
        """
        bought = self.sessions(min_support).get(Relation.BOUGHT, 0.0)
        if bought <= 0.0:
            return {}
        return {
            each.product_id: Partner(each.score, each.score / bought)
            for each in self.top_k(Relation.BOUGHT, count)
            if each.support >= min_support
        }

    @property
    def published_as_of(self) -> float:
        """`as_of` of the last published list, in seconds since 1970; 0 if there is none."""
        return self._published.as_of

    def should_publish(self, update: AffinityUpdated, parameters: BehaviorParameters) -> bool:
        """Whether `update` differs enough from the last published list.

        It does if the set or order of related products changed, or if a score differs by more than
        `publish_change` from the published score decayed to the same time. Decay alone is no change, because
        consumers know the half-life.

        Args:
            update: The event to publish.
            parameters: Half-life and `publish_change`.
        """
        if _digest(update.related) != self._published.digest:
            return True
        if self.as_of == _NO_EVENTS and self._published.as_of == 0.0 != update.as_of.timestamp():
            # An earlier release published similar texts as of 1970.
            return True
        published = from_short_floats(self._published.scores)
        scores = _scores(update)
        if len(scores) != len(published):
            # The first sessions of a relation, or the first that are published at all.
            return True
        decay = 2.0 ** ((self._published.as_of - update.as_of.timestamp()) / parameters.half_life_s)
        decays = np.ones(len(scores), dtype=np.bool_)
        decays[: len(update.related)] = [entry.relation != Relation.SIMILAR for entry in update.related]
        expected = np.where(decays, published * decay, published)
        threshold = max(parameters.publish_change, _LEAST_CHANGE)
        return bool((abs(scores - expected) > threshold * expected).any())

    def with_published(self, update: AffinityUpdated) -> "AffinityRow":
        """Return this row with `update` as the last published list."""
        published = Published(
            update.as_of.timestamp(), _digest(update.related), short_floats(_scores(update))
        )
        return AffinityRow(self._tables, self.as_of, published, is_current=self.is_current)


def merge_rows(
    rows: Mapping[str, AffinityRow], deltas: Deltas, parameters: BehaviorParameters
) -> dict[str, AffinityRow]:
    """Apply deltas of any products in their order. Any division into batches gives the same rows.

    Args:
        rows: Rows by product. A product without one has the empty row.
        deltas: At least one delta.
        parameters: Half-life, and the bound on neighbors.

    Returns:
        The new rows of the products whose rows change.
    """
    products, row = np.unique(deltas.product, return_inverse=True)
    names = [deltas.ids[number] for number in products.tolist()]
    empty = AffinityRow.empty()
    before = [rows.get(name, empty) for name in names]
    as_of = np.array([each.as_of for each in before])
    counted = deltas.code != REMOVAL
    np.maximum.at(as_of, row[counted], deltas.time[counted])
    tables = merge_deltas([each._tables for each in before], deltas, row, parameters)
    return {
        name: AffinityRow(each, time, old._published, is_current=old.is_current)
        for name, each, time, old in zip(names, tables, as_of.tolist(), before, strict=True)
    }


def affinity_updated(
    product_id: str,
    row: AffinityRow,
    parameters: BehaviorParameters,
    known_at: datetime,
    similar: Sequence[tuple[str, float]] = (),
    may_relate: Callable[[str], bool] = lambda _: True,
) -> AffinityUpdated:
    """Build the event with a product's related products, decayed to the latest event time of its row.

    Args:
        product_id: The product.
        row: The product's row.
        parameters: Half-life, the number of related products for each relation, and their minimum support.
        known_at: `as_of` for a row without events, such as the time of the product's listing.
        similar: Ids and cosines of products with similar texts, best first. They come last.
        may_relate: Whether a product may be published as related, such as one of the same shop.

    Returns:
        The event with at most `top_k` products of each relation, by descending score; ties by support, then
        by id, then by relation.
    """
    count = ranked_count(parameters)
    ranked = [
        (-entry.score, -entry.support, entry.product_id, relation)
        for relation in RELATIONS
        for entry in publishable(row.top_k(relation, count), parameters)
    ]
    ranked.sort()
    related = [
        Related(product_id=name, relation=relation, score=-score, support=-support)
        for score, support, name, relation in ranked
        if may_relate(name)
    ]
    related += [
        Related(product_id=name, relation=Relation.SIMILAR, score=round(cosine, 6), support=0)
        for name, cosine in similar[: parameters.top_k]
    ]
    return AffinityUpdated(
        product_id=product_id,
        related=related,
        as_of=instant(row.as_of) if row.as_of != _NO_EVENTS else known_at,
        half_life_days=parameters.half_life_days,
        sessions=row.sessions(parameters.min_support),
    )


def remove_product(product_id: str, row: AffinityRow, builder: DeltaBuilder) -> None:
    """Add deltas that remove a withdrawn product from the rows of its neighbors.

    Affinity is symmetric, but rows are bounded. A neighbor that `row` dropped may keep the product until it
    decays, so applications that show related products should filter out withdrawn ones.

    Args:
        product_id: The withdrawn product.
        row: Its row.
        builder: Receives the deltas.
    """
    builder.remove(product_id, row.neighbors())


def _scores(update: AffinityUpdated) -> NDArray[np.float64]:
    """Return the scores of related products, then the numbers of sessions."""
    scores = [entry.score for entry in update.related]
    return np.array([*scores, *(update.sessions[name] for name in sorted(update.sessions))], dtype=np.float64)


def _digest(related: Sequence[Related]) -> bytes:
    order = "\n".join([part for entry in related for part in (entry.relation, entry.product_id)])
    return blake2b(order.encode(), digest_size=8).digest()
