"""Decayed counts of pairs in baskets of UCI Online Retail, for the benchmarks of privacy."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.affinity_recall import TABLE, read_lines
from models.behavior.damping import damping
from models.behavior.evaluation.baskets import Basket
from models.behavior.parameters import BehaviorParameters

Pair = tuple[str, str]
"""Two products, the smaller id first."""

PARAMETERS = BehaviorParameters()
"""What the agents use by default."""


def read_country_baskets(data: Path) -> list[tuple[str, Basket]]:
    """Read all valid baskets with their country, in order of time, then of invoice."""
    products: dict[str, dict[str, None]] = {}
    heads: dict[str, tuple[datetime, str, str]] = {}
    for row, time in read_lines(data / TABLE):
        products.setdefault(row["InvoiceNo"], {})[row["StockCode"]] = None
        heads[row["InvoiceNo"]] = (time, row["Country"], row["CustomerID"])
    found = []
    for invoice in sorted(products, key=lambda each: (heads[each][0], each)):
        at, country, customer = heads[invoice]
        basket = Basket(at.timestamp(), customer or invoice, tuple(products[invoice]), bool(customer))
        found.append((country, basket))
    return found


def count_pairs(baskets: Iterable[Basket], products: int, as_of: float) -> Counter[Pair]:
    """Sum the decayed weights of pairs, as the agents form them.

    Args:
        baskets: Baskets, each a session.
        products: The number of products of a basket that form pairs: the first ones.
        as_of: The time to decay to, in seconds since 1970.
    """
    counts: Counter[Pair] = Counter()
    # The products of a basket have one time, and share their mean rank.
    damped = damping((np.arange(products + 1) - 1) / 2, PARAMETERS).tolist()
    for basket in baskets:
        decay = 2.0 ** ((basket.time - as_of) / PARAMETERS.half_life_s)
        weight = decay * (1.0 if basket.known else PARAMETERS.guest_weight)
        first = basket.products[:products]
        for pair in combinations(sorted(first), 2):
            counts[pair] += weight * damped[len(first)]
    return counts


def ranked_lists(counts: Mapping[Pair, float], top: int) -> dict[str, list[str]]:
    """Return each product's neighbors of the greatest weight, best first; ties by id."""
    rows: dict[str, list[tuple[float, str]]] = {}
    for (one, other), weight in counts.items():
        rows.setdefault(one, []).append((-weight, other))
        rows.setdefault(other, []).append((-weight, one))
    return {product: [name for _, name in sorted(row)[:top]] for product, row in rows.items()}


def of_two_or_more(baskets: Iterable[Basket]) -> Sequence[Basket]:
    """Return the baskets that can be scored."""
    return [basket for basket in baskets if len(basket.products) > 1]
