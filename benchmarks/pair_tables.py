"""Decayed counts of pairs in baskets of UCI Online Retail, for the benchmarks of privacy."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.affinity_recall import PRODUCT_CODE, TABLE
from models.behavior.evaluation.baskets import Basket

Pair = tuple[str, str]
"""Two products, the smaller id first."""

HALF_LIFE_DAYS = 75.0
DAMPING_PRODUCTS = 30.0
GUEST_WEIGHT = 0.3


def read_country_baskets(data: Path) -> list[tuple[str, Basket]]:
    """Read all valid baskets with their country, in order of time, then of invoice."""
    products: dict[str, dict[str, None]] = {}
    heads: dict[str, tuple[datetime, str, str]] = {}
    with gzip.open(data / TABLE, "rt", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if int(row["Quantity"]) <= 0 or row["InvoiceNo"].startswith("C"):
                continue
            if PRODUCT_CODE.fullmatch(row["StockCode"]):
                products.setdefault(row["InvoiceNo"], {})[row["StockCode"]] = None
                at = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC)
                heads[row["InvoiceNo"]] = (at, row["Country"], row["CustomerID"])
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
    damping = [1.0 / (1.0 + (rank / DAMPING_PRODUCTS) ** 2) for rank in range(products)]
    for basket in baskets:
        decay = 2.0 ** ((basket.time - as_of) / (HALF_LIFE_DAYS * 86_400.0))
        weight = decay * (1.0 if basket.known else GUEST_WEIGHT)
        first = basket.products[:products]
        for rank, later in enumerate(first):
            value = weight * damping[rank]
            for other in first[:rank]:
                pair = (other, later) if other < later else (later, other)
                counts[pair] += value
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
