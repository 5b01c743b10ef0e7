"""Applies co-behavior deltas to the neighbor tables of many products at once.

The result is that of one delta after another, to the last bit, however they are divided into batches. Where
all deltas of a product only add, and its tables have room, the order matters for sums alone: one pass over
arrays does it for all such products. The others are counted delta by delta.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.behavior.deltas import RELATIONS, REMOVAL, Deltas
from models.behavior.id_pool import IdPool, current_pool
from models.behavior.neighbors import MAX_SUPPORT, NO_LANDMARK, NeighborTable, scaled
from models.behavior.parameters import BehaviorParameters

Tables = tuple[NeighborTable, ...]
"""A table for each relation by behavior."""


class _Run:
    """Deltas in their order, with the table that each is for: three tables a product.

    Attributes:
        table: Index of the table; int64, shape (m,). That of a removal is the first of its product.
        code: As in `Deltas`.
        neighbor: Number of the neighbor in the pool; int64, shape (m,).
        own: Whether the neighbor is the product itself; bool, shape (m,).
        landmark: The last whole number of half-lives before the delta's time; int64, shape (m,).
        gain: The weight at that landmark; float64, shape (m,).
        support: As in `Deltas`; int64, shape (m,).
    """

    __slots__ = ("code", "gain", "landmark", "neighbor", "own", "support", "table")

    def __init__(self, deltas: Deltas, row: NDArray[np.int64], half_life_s: float, pool: IdPool) -> None:
        numbers = pool.numbers(deltas.ids, len(deltas.ids))
        self.code = deltas.code
        self.table = row * len(RELATIONS) + np.where(deltas.code == REMOVAL, 0, deltas.code)
        self.neighbor = numbers[deltas.neighbor]
        self.own = deltas.product == deltas.neighbor
        age = deltas.time / half_life_s
        whole = np.floor(age)
        self.landmark = whole.astype(np.int64)
        self.gain = deltas.weight * np.exp2(age - whole)
        self.support = deltas.support.astype(np.int64)

    def take(self, places: "NDArray[np.bool_] | NDArray[np.intp]") -> "_Run":
        """Return the deltas at these places."""
        taken = object.__new__(_Run)
        for name in _Run.__slots__:
            setattr(taken, name, getattr(self, name)[places])
        return taken


def merge_deltas(
    rows: Sequence[Tables], deltas: Deltas, row: NDArray[np.int64], parameters: BehaviorParameters
) -> list[Tables]:
    """Apply deltas in their order.

    Args:
        rows: The tables of the products.
        deltas: At least one delta.
        row: Index into `rows` of the product of each delta; int64, shape (n,).
        parameters: Half-life, and the bound on neighbors.

    Returns:
        The new tables of each product.
    """
    relations, capacity = len(RELATIONS), 2 * int(parameters.neighbors)
    half_life, pool = parameters.half_life_s, current_pool()
    rows = [tuple(table.with_half_life(half_life, pool) for table in each) for each in rows]
    tables = [table for each in rows for table in each]
    run = _Run(deltas, row, half_life, pool)
    slow = np.zeros(len(rows), dtype=np.bool_)
    slow[row[(run.code == REMOVAL) | (run.support <= 0)]] = True
    fast = np.flatnonzero(~slow[row])
    if len(fast):
        plain = run.take(fast)
        touched, plain.table = np.unique(plain.table, return_inverse=True)
        before = [tables[number] for number in touched.tolist()]
        for number, table in zip(touched.tolist(), _add_all(before, plain, capacity), strict=True):
            if table is None:
                slow[number // relations] = True
            else:
                tables[number] = table
    if slow.any():
        _count_rows(rows, tables, slow, run.take(slow[row]), capacity)
    return [tuple(tables[at : at + relations]) for at in range(0, len(tables), relations)]


def _add_all(tables: Sequence[NeighborTable], run: _Run, capacity: int) -> list[NeighborTable | None]:
    """Add sessions to all tables at once. A table that would have too many neighbors is None."""
    count = len(tables)
    before = np.array([table.landmark for table in tables], dtype=np.int64)
    landmark = before.copy()
    np.maximum.at(landmark, run.table, run.landmark)
    moved = before - landmark
    gain = scaled(run.gain, run.landmark - landmark[run.table])
    own_weight = scaled(np.array([table.own_weight for table in tables]), moved)
    error = scaled(np.array([table.error for table in tables]), moved)
    own_support = np.array([table.own_support for table in tables], dtype=np.int64)
    own = run.own
    if own.any():
        np.add.at(own_weight, run.table[own], gain[own])
        np.add.at(own_support, run.table[own], run.support[own])
        run, gain = run.take(~own), gain[~own]
    lengths = [len(table) for table in tables]
    known, weight, support = _columns(tables, lengths, moved)
    keys, weight, support = _with_gains(known, weight, support, run, gain)
    bounds = np.searchsorted(keys, np.arange(count + 1, dtype=np.int64) << 32).tolist()
    keys &= 0xFFFFFFFF
    np.minimum(own_support, MAX_SUPPORT, out=own_support)
    result: list[NeighborTable | None] = []
    for number, table in enumerate(tables):
        start, end = bounds[number], bounds[number + 1]
        if end - start > capacity:
            result.append(None)
            continue
        # Copies, because a part of the columns of all tables would keep all of them in memory.
        result.append(
            NeighborTable(
                table.pool,
                table.ids if end - start == len(table) else keys[start:end].copy(),
                weight[start:end].copy(),
                support[start:end].copy(),
                table.half_life_s,
                int(landmark[number]),
                float(error[number]),
                float(own_weight[number]),
                int(own_support[number]),
            )
        )
    return result


def _columns(
    tables: Sequence[NeighborTable], lengths: Sequence[int], moved: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return table and neighbor in one number, weight, and support of all tables, ascending."""
    keys = np.repeat(np.arange(len(tables), dtype=np.int64) << 32, lengths)
    keys |= np.concatenate([table.ids for table in tables])
    weight = np.concatenate([table.weight for table in tables])
    if moved.any():
        weight = scaled(weight, np.repeat(moved, lengths))
    return keys, weight, np.concatenate([table.support for table in tables])


def _with_gains(
    keys: NDArray[np.int64],
    weight: NDArray[np.float64],
    support: NDArray[np.int64],
    run: _Run,
    gain: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    wanted = (run.table << 32) | run.neighbor
    place = np.searchsorted(keys, wanted)
    present = np.zeros(len(wanted), dtype=np.bool_)
    inside = place < len(keys)
    present[inside] = keys[place[inside]] == wanted[inside]
    new = np.unique(wanted[~present])
    if len(new):
        at = np.searchsorted(keys, new)
        keys = np.insert(keys, at, new)
        weight, support = np.insert(weight, at, 0.0), np.insert(support, at, 0)
        place = np.searchsorted(keys, wanted)
    # One after another in the order of the deltas: a sum in another order has another last bit.
    np.add.at(weight, place, gain)
    np.add.at(support, place, run.support)
    return keys, weight, np.minimum(support, MAX_SUPPORT)


class _Counters:
    """A table that is counted delta by delta."""

    def __init__(self, table: NeighborTable, landmark: int, capacity: int) -> None:
        moved = np.array(table.landmark - landmark, dtype=np.int64)
        self.table, self.landmark, self.capacity = table, landmark, capacity
        weight = scaled(table.weight, np.broadcast_to(moved, len(table)))
        self.weight = dict(zip(table.ids.tolist(), weight.tolist(), strict=True))
        self.support = dict(zip(table.ids.tolist(), table.support.tolist(), strict=True))
        self.error = float(scaled(np.array(table.error), moved))
        self.own_weight = float(scaled(np.array(table.own_weight), moved))
        self.own_support = table.own_support

    def add(self, neighbor: int, gain: float, support: int) -> None:
        """Add sessions, or take them back. A correction of a neighbor that is not there has no effect."""
        sessions = self.support.get(neighbor, 0) + support
        if neighbor not in self.support and support <= 0:
            return
        if sessions <= 0:
            self.remove(neighbor)
            return
        self.support[neighbor] = min(sessions, MAX_SUPPORT)
        self.weight[neighbor] = self.weight.get(neighbor, 0.0) + gain
        if len(self.weight) > self.capacity:
            self._drop_weakest()

    def add_own(self, gain: float, support: int) -> None:
        """Add sessions with the product itself, or take them back."""
        self.own_weight += gain
        self.own_support = max(0, min(self.own_support + support, MAX_SUPPORT))

    def remove(self, neighbor: int) -> None:
        """Remove a neighbor, if it is there."""
        self.weight.pop(neighbor, None)
        self.support.pop(neighbor, None)

    def _drop_weakest(self) -> None:
        """Keep half of the neighbors that a table counts; ties by support, then by id."""
        names, support = self.table.pool.names, self.support
        ranked = sorted(
            (-weight, -support[neighbor], names[neighbor], neighbor)
            for neighbor, weight in self.weight.items()
        )
        kept = self.capacity // 2
        self.error += max(0.0, -ranked[kept][0])
        self.weight = {neighbor: -weight for weight, _, _, neighbor in ranked[:kept]}
        self.support = {neighbor: support[neighbor] for neighbor in self.weight}

    def counted(self) -> NeighborTable:
        """Return the table."""
        ids = np.array(sorted(self.weight), dtype=np.int64)
        order = ids.tolist()
        return NeighborTable(
            self.table.pool,
            ids,
            np.array([self.weight[each] for each in order], dtype=np.float64),
            np.array([self.support[each] for each in order], dtype=np.int64),
            self.table.half_life_s,
            self.landmark,
            self.error,
            self.own_weight,
            self.own_support,
        )


def _count_rows(
    rows: Sequence[Tables],
    tables: list[NeighborTable],
    slow: NDArray[np.bool_],
    run: _Run,
    capacity: int,
) -> None:
    """Count the deltas of some rows one by one, from the tables of before. Replaces those in `tables`."""
    relations = len(RELATIONS)
    counters: dict[int, _Counters] = {}
    counted = run.code != REMOVAL
    landmarks = np.full(len(tables), NO_LANDMARK, dtype=np.int64)
    np.maximum.at(landmarks, run.table[counted], run.landmark[counted])
    for number in np.flatnonzero(slow).tolist():
        for code, table in enumerate(rows[number]):
            at = number * relations + code
            counters[at] = _Counters(table, max(table.landmark, int(landmarks[at])), capacity)
    gains = scaled(run.gain, run.landmark - np.array([counters[at].landmark for at in run.table.tolist()]))
    for code, at, neighbor, own, gain, support in zip(
        run.code.tolist(),
        run.table.tolist(),
        run.neighbor.tolist(),
        run.own.tolist(),
        gains.tolist(),
        run.support.tolist(),
        strict=True,
    ):
        if code == REMOVAL:
            for each in range(at, at + relations):
                counters[each].remove(neighbor)
        elif own:
            counters[at].add_own(gain, support)
        else:
            counters[at].add(neighbor, gain, support)
    for at, counter in counters.items():
        tables[at] = counter.counted()
