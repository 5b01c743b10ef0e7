"""A product's row: its neighbours by behaviour, and what was last published of them.

A row is one small binary value. It remembers a digest of the published order and the published scores, so
that a change too small to matter is not published again.
"""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
import numpy as np

from models.behavior.deltas import FORGET, RELATIONS, DeltaBuilder, Deltas
from models.behavior.event_time import instant
from models.behavior.neighbors import NeighbourTable, Ranked
from models.behavior.parameters import BehaviorParameters
from schemas.errors import StopWorker
from schemas.events import AffinityUpdated, Related, Relation

ROW_VERSION = 1


class _TableState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    ids: list[str]
    weight: bytes
    time: bytes
    support: bytes


class _Published(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What consumers know: a digest of the order, and scores at `as_of` as float32."""

    as_of: float = 0.0
    digest: bytes = b""
    scores: bytes = b""


class _RowState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    as_of: float
    published: _Published
    tables: tuple[_TableState, _TableState, _TableState]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_RowState)
_NOTHING = float("-inf")


class AffinityRow:
    """An immutable row; `merged` and `published` give new ones, so a failed batch leaves no trace.

    Attributes:
        as_of: The latest event time that the row has seen, in seconds; -inf before the first.
    """

    __slots__ = ("_published", "_tables", "as_of")

    def __init__(self, tables: tuple[NeighbourTable, ...], as_of: float, published: _Published) -> None:
        self._tables = tables
        self._published = published
        self.as_of = as_of

    @classmethod
    def empty(cls) -> "AffinityRow":
        """The row of a product that nobody met yet."""
        return cls(tuple(NeighbourTable.empty() for _ in RELATIONS), _NOTHING, _Published())

    @classmethod
    def from_bytes(cls, data: bytes) -> "AffinityRow":
        """Read a row.

        Raises:
            StopWorker: The row is of another version, or damaged.
        """
        if data[:1] != bytes((ROW_VERSION,)):
            raise StopWorker(
                f"an affinity row begins with {data[:1]!r}, but this program reads version {ROW_VERSION}: "
                "run the program that wrote it, or rebuild the state from co-behavior"
            )
        try:
            state = _decoder.decode(memoryview(data)[1:])
            tables = tuple(_table(table) for table in state.tables)
        except (msgspec.MsgspecError, ValueError) as error:
            raise StopWorker(f"an affinity row is damaged, rebuild the state: {error}") from error
        return cls(tables, state.as_of, state.published)

    def to_bytes(self) -> bytes:
        """The row as a version byte and MessagePack."""
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
        """This row with `deltas`, which must all be of this product, applied in their order.

        A neighbour above the bound goes only after all of `deltas` are in.
        """
        tables = list(self._tables)
        as_of = self.as_of
        for code, run in _runs(deltas):
            names = [run.ids[number] for number in run.neighbour.tolist()]
            if code == FORGET:
                for name in names:
                    tables = [table.without(name) for table in tables]
                continue
            half_life = parameters.half_life_s
            tables[code] = tables[code].added(names, run.time, run.weight, run.support, half_life)
            as_of = max(as_of, float(run.time.max()))
        bounded = tuple(table.pruned(parameters.neighbours, parameters.half_life_s) for table in tables)
        return AffinityRow(bounded, as_of, self._published)

    def neighbours(self) -> list[str]:
        """Every neighbour in any relation, once, sorted."""
        return sorted({name for table in self._tables for name in table.ids})

    def top_k(
        self, relation: Relation, k: int, half_life_s: float, as_of: float | None = None
    ) -> list[Ranked]:
        """The `k` best neighbours of a behavioural relation, best first; ties by support, then by id.

        Args:
            relation: `viewed`, `carted` or `bought`.
            k: How many at most.
            half_life_s: Half-life in seconds.
            as_of: The time to decay to, in seconds; the row's own `as_of` if None.
        """
        when = self.as_of if as_of is None else as_of
        return self._tables[RELATIONS.index(relation)].top(k, when, half_life_s)

    def changed_enough(self, update: AffinityUpdated, parameters: BehaviorParameters) -> bool:
        """Whether `update` tells consumers something new.

        New are: another set or order of related products, or a score that moved by more than
        `publish_change` relative to the published one decayed to the same time. Ageing alone is no news,
        since consumers know the half-life.
        """
        if _digest(update.related) != self._published.digest:
            return True
        was = np.frombuffer(self._published.scores, dtype="<f4").astype(np.float64)
        now = np.array([entry.score for entry in update.related])
        aged = 2.0 ** ((self._published.as_of - update.as_of.timestamp()) / parameters.half_life_s)
        behaves = np.array([entry.relation != Relation.SIMILAR for entry in update.related], dtype=np.bool_)
        expected = np.where(behaves, was * aged, was)
        return bool((abs(now - expected) > parameters.publish_change * expected).any())

    def published(self, update: AffinityUpdated) -> "AffinityRow":
        """This row, remembering that `update` was published."""
        scores = np.array([entry.score for entry in update.related], dtype="<f4").tobytes()
        known = _Published(update.as_of.timestamp(), _digest(update.related), scores)
        return AffinityRow(self._tables, self.as_of, known)


def affinity_updated(
    product_id: str,
    row: AffinityRow,
    parameters: BehaviorParameters,
    similar: Sequence[tuple[str, float]] = (),
) -> AffinityUpdated:
    """What there is to say about a product now, decayed to the latest event that its row has seen.

    Args:
        product_id: Whose row it is.
        row: The row.
        parameters: Half-life and number of related products for each relation.
        similar: Ids and cosines of products with a similar text, best first; they come last.

    Returns:
        The event, with at most `top_k` products of each relation, by falling score; ties by support, then
        by id, then by relation. A row without events is as of 1970.
    """
    found = [
        (-entry.score, -entry.support, entry.product_id, relation)
        for relation in RELATIONS
        for entry in row.top_k(relation, parameters.top_k, parameters.half_life_s)
    ]
    found.sort()
    related = [
        Related(product_id=name, relation=relation, score=-score, support=-support)
        for score, support, name, relation in found
    ]
    related += [
        Related(product_id=name, relation=Relation.SIMILAR, score=round(cosine, 6), support=0)
        for name, cosine in similar[: parameters.top_k]
    ]
    return AffinityUpdated(
        product_id=product_id,
        related=related,
        as_of=instant(row.as_of if row.as_of != _NOTHING else 0.0),
        half_life_days=parameters.half_life_days,
    )


def forget(product_id: str, row: AffinityRow, builder: DeltaBuilder) -> None:
    """Let every neighbour in a withdrawn product's row drop it.

    Affinity is symmetric but rows are bounded: a neighbour that `row` evicted may keep the product until it
    decays; who serves related products should leave out withdrawn ones.
    """
    builder.forget(product_id, row.neighbours())


def _runs(deltas: Deltas) -> list[tuple[int, Deltas]]:
    """`deltas` by code, which is in order already unless something is to be forgotten between additions."""
    codes = deltas.code
    present = np.unique(codes).tolist()
    if len(present) == 1:
        return [(present[0], deltas)]
    if FORGET not in present:
        return [(code, deltas.take(codes == code)) for code in present]
    ends = [*(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    starts = [0, *ends[:-1]]
    return [
        (int(codes[start]), deltas.take(slice(start, end))) for start, end in zip(starts, ends, strict=True)
    ]


def _table(state: _TableState) -> NeighbourTable:
    columns = (
        np.frombuffer(state.weight, dtype="<f8"),
        np.frombuffer(state.time, dtype="<f8"),
        np.frombuffer(state.support, dtype="<u4").astype(np.int64),
    )
    if any(len(column) != len(state.ids) for column in columns):
        raise ValueError("its columns differ in length")
    return NeighbourTable(state.ids, *columns)


def _digest(related: Sequence[Related]) -> bytes:
    order = "\n".join([part for entry in related for part in (entry.relation, entry.product_id)])
    return blake2b(order.encode(), digest_size=8).digest()
