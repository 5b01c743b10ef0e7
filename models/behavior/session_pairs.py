"""The pairs of a session, as a pure function of the set of its products and their entry times.

A relation of a session orders its products by entry time. Products of one time, such as those of an order,
are in an order of their own at each time (`order_key`): by id, the same products would always come last.
The product with k others before it has rank k. Only the first `session_pair_products` of this order count:

- A pair has the weight `damping(k) * w` at the entry time of its later product, and support 1. k is the
  later product's rank, and w the session's weight.
- A product's own session has the weight w at its entry time, and support 1: a delta whose neighbor is the
  product itself.
- A product whose purchase was returned keeps its rank, but has no pairs and no session of its own.

Since a product beyond the first ones gets before them only by an event with an earlier time, it need not be
remembered: the first products of a set are those of the first products so far and of one more.

What changes in a session is emitted as the difference between before and after. A session that only grew at
its end, which is usual, costs one pair for each product before the new one.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

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


def order_key(product: str, time: float) -> tuple[float, int, str]:
    """Return what orders the products of a session: the time, a checksum of both, and the id."""
    return time, crc32(product.encode(), int(time) & 0xFFFFFFFF), product


def in_order(entry_times: EntryTimes, bound: int) -> EntryTimes:
    """Return the first `bound` products by `order_key`."""
    ordered = sorted(entry_times.items(), key=lambda item: order_key(*item))
    return dict(ordered[:bound])


def common_prefix(one: EntryTimes, other: EntryTimes) -> int:
    """Return how many first products with their entry times are the same."""
    same = 0
    for item, other_item in zip(one.items(), other.items(), strict=False):
        if item != other_item:
            break
        same += 1
    return same


def correction_cost(prefix: int, products: int) -> int:
    """Return the number of pairs whose later product has a rank from `prefix` to `products` - 1."""
    return (products * (products - 1) - prefix * (prefix - 1)) // 2


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
    prefix = 0
    if len(before) == 1 and before[0][1:] == after[1:]:
        prefix = common_prefix(before[0].entry_times, after.entry_times)
        if prefix == len(before[0].entry_times):
            _add_products(after, prefix, relation, pairs, parameters)
            return
    names = list(dict.fromkeys(name for part in (*before, after) for name in part.entry_times))
    numbers = {name: number for number, name in enumerate(names)}
    parts = [(_pairs_of(part, prefix, numbers, parameters), -1) for part in before]
    parts.append((_pairs_of(after, prefix, numbers, parameters), 1))
    changed = _summed(parts, len(names))
    pairs.add_columns(names, relation, *changed)


def _add_products(
    session: CountedProducts,
    prefix: int,
    relation: Relation,
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
) -> None:
    """Emit the pairs of the products from rank `prefix` on, as they all came after the others."""
    entry_times, returned, weight = session
    if weight == 0.0 or prefix == len(entry_times):
        return
    names = list(entry_times)
    damping = _damping(parameters)
    others = [name for name in names[:prefix] if name not in returned]
    for rank in range(prefix, len(names)):
        name = names[rank]
        if name in returned:
            continue
        time = entry_times[name]
        pairs.add_sessions([name], [time], relation, weight)
        if others:
            pairs.add_pairs(name, others, [time] * len(others), relation, float(damping[rank]) * weight)
        others.append(name)


@lru_cache(maxsize=8)
def _damping_of(bound: int, scale: float) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + (np.arange(bound) / scale) ** 2))


def _damping(parameters: BehaviorParameters) -> NDArray[np.float64]:
    """Return the damping of each rank."""
    return _damping_of(int(parameters.session_pair_products), parameters.damping_products)


@lru_cache(maxsize=8)
def _triangle(bound: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the ranks of the later and the earlier product of all pairs, and of each with itself."""
    later, earlier = np.tril_indices(bound)
    return later, earlier


def _pairs_of(
    session: CountedProducts, prefix: int, numbers: dict[str, int], parameters: BehaviorParameters
) -> _Pairs:
    """Return the pairs of a session by the definition, with a later product from rank `prefix` on."""
    entry_times, returned, weight = session
    count = len(entry_times) if weight != 0.0 else 0
    start, end = (each * (each + 1) // 2 for each in (min(prefix, count), count))
    later, earlier = (ranks[start:end] for ranks in _triangle(int(parameters.session_pair_products)))
    kept = np.fromiter((name not in returned for name in entry_times), np.bool_, len(entry_times))
    counts = kept[later] & kept[earlier]
    if weight == UNDAMPED:
        counts &= later != earlier
    later, earlier = later[counts], earlier[counts]
    number = np.fromiter(map(numbers.__getitem__, entry_times), np.int64, len(entry_times))
    times = np.fromiter(entry_times.values(), np.float64, len(entry_times))
    if weight == UNDAMPED:
        weights = np.ones(len(later))
    else:
        weights = np.where(later == earlier, 1.0, _damping(parameters)[later]) * weight
    one, other = number[later], number[earlier]
    return _Pairs(
        np.minimum(one, other),
        np.maximum(one, other),
        times[later],
        weights,
        np.ones(len(later), dtype=np.int64),
    )


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
