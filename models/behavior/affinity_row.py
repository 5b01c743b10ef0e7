"""The affinity row of a product: its neighbors by relation, and the last published list.

A row is one binary value. It contains a digest of the published order and the published scores, so that a
change below the threshold `publish_change` is not published again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec
import numpy as np

from models.behavior.deltas import RELATIONS, REMOVAL, DeltaBuilder, Deltas
from models.behavior.event_time import instant
from models.behavior.neighbors import NeighborTable, RankedNeighbor
from models.behavior.parameters import BehaviorParameters
from models.behavior.publication import publishable, ranked_count
from schemas.errors import StopWorker
from schemas.events import AffinityUpdated, Related, Relation

ROW_VERSION = 1


class _TableState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    ids: list[str]
    weight: bytes
    time: bytes
    support: bytes


class _PublishedState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last published list: a digest of its order, and its scores at `as_of` as float32."""

    as_of: float = 0.0
    digest: bytes = b""
    scores: bytes = b""


class _RowState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    as_of: float
    published: _PublishedState
    tables: tuple[_TableState, _TableState, _TableState]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_RowState)
_NO_EVENTS = float("-inf")


class AffinityRow:
    """An immutable affinity row. `merged` and `with_published` return new rows.

    Attributes:
        as_of: The latest event time in the row, in seconds since 1970; -inf if there is none.
    """

    __slots__ = ("_published", "_tables", "as_of")

    def __init__(self, tables: tuple[NeighborTable, ...], as_of: float, published: _PublishedState) -> None:
        self._tables = tables
        self._published = published
        self.as_of = as_of

    @classmethod
    def empty(cls) -> "AffinityRow":
        """Return the row of a product without events."""
        return cls(tuple(NeighborTable.empty() for _ in RELATIONS), _NO_EVENTS, _PublishedState())

    @classmethod
    def from_bytes(cls, data: bytes) -> "AffinityRow":
        """Decode a row from a version byte and MessagePack.

        Raises:
            StopWorker: The row is of another version, or damaged.
        """
        if data[:1] != bytes((ROW_VERSION,)):
            raise StopWorker(
                f"an affinity row has version byte {data[:1]!r}, but this release reads version "
                f"{ROW_VERSION}; run the release that wrote it, or rebuild the state from co-behavior"
            )
        try:
            state = _decoder.decode(memoryview(data)[1:])
            tables = tuple(_table(table) for table in state.tables)
        except (msgspec.MsgspecError, ValueError) as error:
            raise StopWorker(
                f"an affinity row is damaged: {error}; rebuild the state from co-behavior"
            ) from error
        return cls(tables, state.as_of, state.published)

    def to_bytes(self) -> bytes:
        """Encode the row as a version byte and MessagePack."""
        viewed, carted, bought = (
            _TableState(
                table.ids,
                table.weight.astype("<f8").tobytes(),
                table.time.astype("<f8").tobytes(),
                table.support.astype("<u4").tobytes(),
            )
            for table in self._tables
        )
        state = _RowState(self.as_of, self._published, (viewed, carted, bought))
        return bytes((ROW_VERSION,)) + _encoder.encode(state)

    def merged(self, deltas: Deltas, parameters: BehaviorParameters) -> "AffinityRow":
        """Apply deltas in their order.

        Args:
            deltas: Deltas of this product.
            parameters: Half-life, and the bound on neighbors, which is enforced after all deltas.

        Returns:
            The new row.
        """
        tables = list(self._tables)
        as_of = self.as_of
        # Sessions of the product itself are no neighbor.
        for code, run in _split_by_code(deltas.take(deltas.product != deltas.neighbor)):
            names = [run.ids[number] for number in run.neighbor.tolist()]
            if code == REMOVAL:
                for name in names:
                    tables = [table.without(name) for table in tables]
                continue
            half_life = parameters.half_life_s
            tables[code] = tables[code].with_sessions(names, run.time, run.weight, run.support, half_life)
            as_of = max(as_of, float(run.time.max()))
        bounded = tuple(table.pruned(parameters.neighbors, parameters.half_life_s) for table in tables)
        return AffinityRow(bounded, as_of, self._published)

    def neighbors(self) -> list[str]:
        """Return the distinct neighbors of all relations, sorted by id."""
        return sorted({name for table in self._tables for name in table.ids})

    def top_k(
        self, relation: Relation, k: int, half_life_s: float, as_of: float | None = None
    ) -> list[RankedNeighbor]:
        """Return the neighbors of a relation with the highest scores; ties by support, then by id.

        Args:
            relation: `viewed`, `carted` or `bought`.
            k: The maximum number of neighbors.
            half_life_s: Half-life in seconds.
            as_of: The time to decay scores to, in seconds since 1970; the row's `as_of` if None.

        Returns:
            Neighbors with score and support (sessions), best first.
        """
        when = self.as_of if as_of is None else as_of
        return self._tables[RELATIONS.index(relation)].top(k, when, half_life_s)

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
        published = np.frombuffer(self._published.scores, dtype="<f4").astype(np.float64)
        scores = np.array([entry.score for entry in update.related])
        decay = 2.0 ** ((self._published.as_of - update.as_of.timestamp()) / parameters.half_life_s)
        decays = np.array([entry.relation != Relation.SIMILAR for entry in update.related], dtype=np.bool_)
        expected = np.where(decays, published * decay, published)
        return bool((abs(scores - expected) > parameters.publish_change * expected).any())

    def with_published(self, update: AffinityUpdated) -> "AffinityRow":
        """Return this row with `update` as the last published list."""
        scores = np.array([entry.score for entry in update.related], dtype="<f4").tobytes()
        published = _PublishedState(update.as_of.timestamp(), _digest(update.related), scores)
        return AffinityRow(self._tables, self.as_of, published)


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
        for entry in publishable(row.top_k(relation, count, parameters.half_life_s), parameters)
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


def _split_by_code(deltas: Deltas) -> list[tuple[int, Deltas]]:
    """Split `deltas` into runs of one code. Order matters only if there are removals among them."""
    codes = deltas.code
    present = np.unique(codes).tolist()
    if len(present) == 1:
        return [(present[0], deltas)]
    if REMOVAL not in present:
        return [(code, deltas.take(codes == code)) for code in present]
    ends = [*(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    starts = [0, *ends[:-1]]
    return [
        (int(codes[start]), deltas.take(slice(start, end))) for start, end in zip(starts, ends, strict=True)
    ]


def _table(state: _TableState) -> NeighborTable:
    columns = (
        np.frombuffer(state.weight, dtype="<f8"),
        np.frombuffer(state.time, dtype="<f8"),
        np.frombuffer(state.support, dtype="<u4").astype(np.int64),
    )
    if any(len(column) != len(state.ids) for column in columns):
        raise ValueError("the columns differ in length")
    return NeighborTable(state.ids, *columns)


def _digest(related: Sequence[Related]) -> bytes:
    order = "\n".join([part for entry in related for part in (entry.relation, entry.product_id)])
    return blake2b(order.encode(), digest_size=8).digest()
