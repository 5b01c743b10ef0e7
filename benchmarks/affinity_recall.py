"""Measures how well affinities predict the rest of a basket, and the cost of bounded rows.

Run: `python -m benchmarks.affinity_recall --data FOLDER`, where FOLDER holds
`behavior/online_retail_2010-12_2011-08.csv.gz` (UCI Online Retail, CC BY 4.0).

The evaluation is prequential: baskets are in order of time, and from `--from` on each is scored before the
model is updated with it. For every item of a basket, the top 20 of the item's row are compared with the other
items of the basket. Recall is the number of hits divided by the number of other items. It is averaged over
items, where large baskets count most, and over baskets. A line counts if its quantity is above zero, its
invoice is not a cancellation, and its code is that of a product (five digits, optionally letters).
"""

import csv
import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from time import perf_counter

import click

from models.behavior.affinity_row import AffinityRow
from models.behavior.deltas import DeltaBuilder
from models.behavior.event_time import seconds
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from schemas.events import Action, Relation, UserBehavior

TABLE = "behavior/online_retail_2010-12_2011-08.csv.gz"
TOP = 20
PRODUCT_CODE = re.compile(r"\d{5}[A-Za-z]*")


@dataclass(frozen=True)
class Basket:
    """The distinct products of an invoice, in order of appearance."""

    invoice: str
    time: datetime
    products: tuple[str, ...]


def read_lines(path: Path) -> Iterator[tuple[dict[str, str], datetime]]:
    """Read the lines that count, with the time of their invoice."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if int(row["Quantity"]) <= 0 or row["InvoiceNo"].startswith("C"):
                continue
            if PRODUCT_CODE.fullmatch(row["StockCode"]):
                yield row, datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC)


def read_baskets(path: Path) -> list[Basket]:
    """Read all valid baskets, ordered by time, then by invoice."""
    products: dict[str, dict[str, None]] = {}
    times: dict[str, datetime] = {}
    for row, time in read_lines(path):
        products.setdefault(row["InvoiceNo"], {})[row["StockCode"]] = None
        times[row["InvoiceNo"]] = time
    baskets = [Basket(name, times[name], tuple(items)) for name, items in products.items()]
    return sorted(baskets, key=lambda basket: (basket.time, basket.invoice))


class Popularity:
    """A baseline: the products in the most baskets so far."""

    def __init__(self) -> None:
        self._baskets: Counter[str] = Counter()

    def update(self, basket: Basket) -> None:
        """Count the products of `basket`."""
        self._baskets.update(basket.products)

    def related(self, products: tuple[str, ...]) -> Iterator[list[str]]:
        """Yield the most popular other products for each of `products`."""
        best = [name for name, _ in self._baskets.most_common(TOP + 1)]
        for product in products:
            yield [name for name in best if name != product][:TOP]


class Cosine:
    """A baseline: cosine of the products' basket vectors, without decay."""

    def __init__(self) -> None:
        self._baskets: Counter[str] = Counter()
        self._together: dict[str, Counter[str]] = {}

    def update(self, basket: Basket) -> None:
        """Count the products and the pairs of `basket`."""
        self._baskets.update(basket.products)
        for product in basket.products:
            self._together.setdefault(product, Counter()).update(basket.products)

    def related(self, products: tuple[str, ...]) -> Iterator[list[str]]:
        """Yield the products with the highest cosine for each of `products`."""
        for product in products:
            counts = self._together.get(product, Counter[str]())
            scored = [
                (-count / sqrt(self._baskets[name]), name)
                for name, count in counts.items()
                if name != product
            ]
            yield [name for _, name in sorted(scored)[:TOP]]


class AffinityRows:
    """The shipped model: the rows of the agents `sessions` and `affinity`."""

    def __init__(self, parameters: BehaviorParameters) -> None:
        self._parameters = parameters
        self._rows: dict[str, AffinityRow] = {}

    def update(self, basket: Basket) -> None:
        """Add `basket` to the rows as one session."""
        pairs = DeltaBuilder()
        events = (
            UserBehavior(
                occurred_at=basket.time,
                product_id=product,
                action=Action.PURCHASE,
                session_id=basket.invoice,
            )
            for product in basket.products
        )
        apply_events(ShopperRow(), events, pairs, self._parameters)
        for product, deltas in pairs.build().by_product():
            row = self._rows.get(product) or AffinityRow.empty()
            self._rows[product] = row.merged(deltas, self._parameters)

    def related(self, products: tuple[str, ...]) -> Iterator[list[str]]:
        """Yield the published neighbors of each of `products`."""
        for product in products:
            row = self._rows.get(product)
            top = row.top_k(Relation.BOUGHT, TOP) if row is not None else []
            yield [entry.product_id for entry in top]

    def row_sizes(self) -> tuple[float, int]:
        """Return the mean and the maximum size of a row in bytes."""
        sizes = [len(row.to_bytes()) for row in self._rows.values()]
        return sum(sizes) / len(sizes), max(sizes)


def recall(
    model: Popularity | Cosine | AffinityRows, baskets: list[Basket], start: float
) -> tuple[float, float]:
    """Compute the prequential recall@20.

    Args:
        model: The model, which is updated with every basket.
        baskets: Baskets in order of time.
        start: The time of the first basket to score, in seconds since 1970.

    Returns:
        The mean recall over items, and over baskets.
    """
    total, items = 0.0, 0
    by_basket: list[float] = []
    for basket in baskets:
        count = len(basket.products)
        if seconds(basket.time) >= start and count > 1:
            items_of_basket = set(basket.products)
            hits = sum(
                len(items_of_basket.intersection(related)) for related in model.related(basket.products)
            )
            total += hits / (count - 1)
            items += count
            by_basket.append(hits / (count - 1) / count)
        model.update(basket)
    return total / items, sum(by_basket) / len(by_basket)


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), default="2011-06-01", show_default=True)
@click.option("--half-life", "half_lives", type=float, multiple=True, default=(30, 45, 60, 90, 1e6))
@click.option("--bound", "bounds", type=int, multiple=True, default=(50, 100, 200, 400, 100_000))
@click.option("--at", type=float, default=60.0, show_default=True, help="Half-life for the bounds, in days.")
def main(
    data: Path, since: datetime, half_lives: tuple[float, ...], bounds: tuple[int, ...], at: float
) -> None:
    """Print one line for each model."""
    baskets = read_baskets(data / TABLE)
    start = seconds(since.replace(tzinfo=UTC))
    runs: list[tuple[str, Callable[[], Popularity | Cosine | AffinityRows]]] = [
        ("popularity", Popularity),
        ("cosine", Cosine),
    ]
    for days in half_lives:
        wide = BehaviorParameters(half_life_days=days, neighbors=100_000)
        runs.append((f"half-life {days:g} days, no bound", lambda wide=wide: AffinityRows(wide)))  # type: ignore[misc]
    for bound in bounds:
        narrow = BehaviorParameters(half_life_days=at, neighbors=bound)
        runs.append((f"half-life {at:g} days, bound {bound}", lambda narrow=narrow: AffinityRows(narrow)))  # type: ignore[misc]
    for name, make in runs:
        model, started = make(), perf_counter()
        by_item, by_basket = recall(model, baskets, start)
        line = (
            f"{name:32} recall@{TOP} {by_item:.4f} by item, {by_basket:.4f} by basket"
            f"  {perf_counter() - started:5.1f} s"
        )
        if isinstance(model, AffinityRows):
            mean, maximum = model.row_sizes()
            line += f"  row {mean:,.0f} bytes, at most {maximum:,}"
        click.echo(line)


if __name__ == "__main__":
    main()
