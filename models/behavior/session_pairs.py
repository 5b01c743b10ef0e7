"""The pairs of a session, as a pure function of the set of its products and their entry times.

A relation of a session orders its products by entry time. The rank of a product is the number of products
that entered before it. Products of one time, such as those of an order, share the mean of the ranks that they
take up: of an order of 41 lines, all products have rank 20. Only the first `session_pair_products` of this
order count; among products of one time, `order_key` decides.

- A pair has the weight `damping(k) * w` at the entry time of its later product, and support 1. k is the
  later product's rank, and w the session's weight.
- A product's own session has the weight w at its entry time, and support 1: a delta whose neighbor is the
  product itself.
- A product whose purchase was returned keeps its rank, but has no pairs and no session of its own.

The damping falls in steps of some ranks. So a product that arrives late, which moves the ranks of all others
after it, changes the pairs of those few only that it moves over a step.

Since a product beyond the first ones gets before them only by an event with an earlier time, it need not be
remembered: the first products of a set are those of the first products so far and of one more.

What changes in a session is emitted as the difference between before and after. A session that only grew at
its end, which is usual, costs one pair for each product before the new one.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import islice
from math import inf
from operator import ne
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models.behavior.damping import damping_of_times
from models.behavior.deltas import DeltaBuilder
from models.behavior.parameters import BehaviorParameters
from schemas.events import Relation

UNDAMPED = -1.0
"""The weight of a session as releases counted it that damped no pairs: 1 each, and no own sessions."""

EntryTimes = dict[str, float]


class CountedProducts(NamedTuple):
    """What the pairs of one relation of a session depend on.

    Attributes:
        entry_times: The entry time of each product in seconds since 1970, in order.
        returned: Products whose purchase was returned.
        weight: The session's weight, or `UNDAMPED`.
    """

    entry_times: EntryTimes
    returned: AbstractSet[str]
    weight: float


class _Pairs(NamedTuple):
    """Pairs as columns: two product numbers, the smaller one first, time, weight and support."""

    lower: NDArray[np.int64]
    higher: NDArray[np.int64]
    time: NDArray[np.float64]
    weight: NDArray[np.float64]
    support: NDArray[np.int64]


class _Changes(NamedTuple):
    """What differs between two states of a session.

    Attributes:
        moved: Products that are new, gone, at another time, or returned in one state only.
        damped: Products of both states with another damping.
    """

    moved: AbstractSet[str]
    damped: AbstractSet[str]


def order_key(product: str, time: float) -> tuple[float, int, str]:
    """Return what orders the products of a session: the time, a checksum of both, and the id.

    By id alone, the same products of large orders would always be left out.
    """
    return time, crc32(product.encode(), int(time) & 0xFFFFFFFF), product


def in_order(entry_times: EntryTimes, bound: int) -> EntryTimes:
    """Return the first `bound` products by `order_key`."""
    ordered = sorted(entry_times.items(), key=lambda item: order_key(*item))
    return dict(ordered[:bound])


def corrected_pairs(before: EntryTimes, after: EntryTimes, parameters: BehaviorParameters) -> int:
    """Return how many counted pairs change at most if the products of a relation change.

    Args:
        before: The products as they were counted, in order.
        after: The products as they are to be counted, in order.
        parameters: Damping, and the bound on products.
    """
    if _grew_at_its_end(before, after):
        return 0
    moved, damped = _changes(before, after, parameters)
    return sum(
        len(before) - 1 if name in moved else rank
        for rank, name in enumerate(before)
        if name in moved or name in damped
    )


def add_difference(
    before: Sequence[CountedProducts],
    after: CountedProducts,
    relation: Relation,
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
) -> None:
    """Emit what changes in the pairs of one relation of a session.

    Args:
        before: The session as it was counted; several ones if it was merged of them.
        after: The session as it is to be counted.
        relation: The relation.
        pairs: Receives the differences.
        parameters: Damping, and the bound on products.
    """
    if after.weight == 0.0 and not any(part.weight for part in before):
        return
    changes = None
    if not before:
        before = [CountedProducts({}, after.returned, after.weight)]
    if len(before) == 1 and before[0].weight == after.weight:
        (one,) = before
        if one.returned == after.returned and _grew_at_its_end(one.entry_times, after.entry_times):
            _add_products(after, len(one.entry_times), relation, pairs, parameters)
            return
        changes = _changes(one.entry_times, after.entry_times, parameters)
        changes = changes._replace(moved=changes.moved | (one.returned ^ after.returned))
    names = list(dict.fromkeys(name for part in (*before, after) for name in part.entry_times))
    numbers = {name: number for number, name in enumerate(names)}
    parts = [(_pairs_of(part, changes, numbers, parameters), -1) for part in before]
    parts.append((_pairs_of(after, changes, numbers, parameters), 1))
    pairs.add_columns(names, relation, *_summed(parts, len(names)))


def _grew_at_its_end(before: EntryTimes, after: EntryTimes) -> bool:
    """Whether all products after those of `before`, if any, entered later than these."""
    if not before:
        return True
    if len(after) < len(before) or any(map(ne, before.items(), after.items())):
        return False
    new = next(islice(after.values(), len(before), None), inf)
    return next(reversed(before.values())) < new


def _changes(before: EntryTimes, after: EntryTimes, parameters: BehaviorParameters) -> _Changes:
    moved = {name for name, _ in before.items() ^ after.items()}
    one, other = (
        dict(zip(each, _damping(each, parameters).tolist(), strict=True)) for each in (before, after)
    )
    return _Changes(moved, {name for name, _ in one.items() ^ other.items()} - moved)


def _add_products(
    session: CountedProducts,
    counted: int,
    relation: Relation,
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
) -> None:
    """Emit the pairs of all products but the first `counted` ones, as they entered later."""
    entry_times, returned, weight = session
    names = list(entry_times)
    if weight == 0.0 or counted == len(names):
        return
    damped_by = _damping(entry_times, parameters).tolist()
    others = [name for name in names[:counted] if name not in returned]
    for name, damped in zip(names[counted:], damped_by[counted:], strict=True):
        if name in returned:
            continue
        time = entry_times[name]
        pairs.add_sessions([name], [time], relation, weight)
        if others:
            pairs.add_pairs(name, others, [time] * len(others), relation, damped * weight)
        others.append(name)


def _damping(entry_times: EntryTimes, parameters: BehaviorParameters) -> NDArray[np.float64]:
    return damping_of_times(_times(entry_times), parameters)


def _times(entry_times: EntryTimes) -> NDArray[np.float64]:
    return np.fromiter(entry_times.values(), np.float64, len(entry_times))


@lru_cache(maxsize=8)
def _triangle(bound: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of the later and the earlier product of all pairs, and of each with itself."""
    later, earlier = np.tril_indices(bound)
    return later, earlier


def _pairs_of(
    session: CountedProducts,
    changes: _Changes | None,
    numbers: dict[str, int],
    parameters: BehaviorParameters,
) -> _Pairs:
    """Return the pairs of a session by the definition: those that may change, or all without `changes`."""
    entry_times, returned, weight = session
    count = len(entry_times) if weight != 0.0 else 0
    end = count * (count + 1) // 2
    later, earlier = (places[:end] for places in _triangle(int(parameters.session_pair_products)))
    kept = _mask(entry_times, lambda name: name not in returned)
    counts = kept[later] & kept[earlier]
    if weight == UNDAMPED:
        counts &= later != earlier
    if changes is not None:
        moved, damped = (
            _mask(entry_times, changes.moved.__contains__),
            _mask(entry_times, changes.damped.__contains__),
        )
        counts &= moved[earlier] | (moved | damped)[later]
    later, earlier = later[counts], earlier[counts]
    number = np.fromiter(map(numbers.__getitem__, entry_times), np.int64, len(entry_times))
    times = _times(entry_times)
    if weight == UNDAMPED:
        weights = np.ones(len(later))
    else:
        weights = np.where(later == earlier, 1.0, damping_of_times(times, parameters)[later]) * weight
    one, other = number[later], number[earlier]
    return _Pairs(
        np.minimum(one, other),
        np.maximum(one, other),
        times[later],
        weights,
        np.ones(len(later), dtype=np.int64),
    )


def _mask(entry_times: EntryTimes, condition: Callable[[str], bool]) -> NDArray[np.bool_]:
    """Return which products fulfil a condition; shape (products,)."""
    return np.fromiter(map(condition, entry_times), np.bool_, len(entry_times))


def _summed(parts: Sequence[tuple[_Pairs, int]], names: int) -> _Pairs:
    """Add up parts by pair and time, each with its sign, and leave out what does not change.

    The support of a pair stands at its first time, so that a pair which only moved has no support to add: it
    must not come back into a row that dropped it.
    """
    lower, higher, time = (np.concatenate([part[column] for part, _ in parts]) for column in range(3))
    weight = np.concatenate([part.weight * sign for part, sign in parts])
    support = np.concatenate([part.support * sign for part, sign in parts])
    if not len(lower):
        return _Pairs(lower, higher, time, weight, support)
    pair = lower * names + higher
    order = np.lexsort((time, pair))
    pair, sorted_time = pair[order], time[order]
    new_pair = np.concatenate([[True], pair[1:] != pair[:-1]])
    new_row = new_pair | np.concatenate([[True], sorted_time[1:] != sorted_time[:-1]])
    rows = np.flatnonzero(new_row)
    weights = np.add.reduceat(weight[order], rows)
    supports = np.zeros(len(rows), dtype=np.int64)
    starts = np.flatnonzero(new_pair)
    supports[new_pair[rows]] = np.add.reduceat(support[order], starts)
    kept = (weights != 0.0) | (supports != 0)
    rows = order[rows[kept]]
    return _Pairs(lower[rows], higher[rows], time[rows], weights[kept], supports[kept])
