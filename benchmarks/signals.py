"""Measures how many products have a tag by behavior, and how often tags come and go.

Run: `python -m benchmarks.signals --data FOLDER`, where FOLDER holds
`behavior/online_retail_2010-12_2011-08.csv.gz` (UCI Online Retail, CC BY 4.0). Tags are decided after each
day with a basket. All products count as one category. Without hysteresis, the lower bounds are the upper
ones, and a tag may go at once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table as Grid

from benchmarks.affinity_recall import TABLE, Basket, read_baskets
from models.behavior.category_ranks import CategoryRanks
from models.behavior.event_time import seconds
from models.behavior.signals import BESTSELLER, TRENDING, SignalCounts, SignalParameters

LAST_DAYS = 100
WITH = SignalParameters()
WITHOUT = WITH._replace(
    trend=(WITH.trend[0],) * 2,
    recent=(WITH.recent[0],) * 2,
    rank=(WITH.rank[0],) * 2,
    bought=(WITH.bought[0],) * 2,
    stay_days=0.0,
)


class Shop:
    """The counts of all products.

    Args:
        parameters: The bounds of the tags.

    Attributes:
        rows: The counts by product.
        changes: How often each tag came or went.
    """

    def __init__(self, parameters: SignalParameters) -> None:
        self.rows: dict[str, SignalCounts] = {}
        self.changes: Counter[str] = Counter()
        self._everything = SignalCounts()
        self._parameters, self._ranks = parameters, CategoryRanks()

    def add(self, baskets: Iterable[Basket]) -> None:
        """Count baskets."""
        for basket in baskets:
            one = SignalCounts(seconds(basket.time), 1.0, 1.0, 1.0)
            for product in basket.products:
                row = self.rows.get(product, SignalCounts())
                self.rows[product] = row.plus(one, self._parameters)
                self._everything = self._everything.plus(one, self._parameters)

    def decide(self) -> Counter[str]:
        """Give and take tags, and return how many products have each."""
        for product, row in self.rows.items():
            self._ranks.put(product, "all", row.logarithm(self._parameters))
        everything, held = self._everything, Counter[str]()
        for product, row in self.rows.items():
            rank = self._ranks.rank(product)
            tagged = row.tagged(everything.time, everything, rank, self._parameters)
            self.changes.update(row.tags.keys() ^ tagged.tags.keys())
            held.update(tagged.tags.keys())
            self.rows[product] = tagged
        return held


def measure(
    baskets: Sequence[Basket], parameters: SignalParameters
) -> tuple[int, Counter[str], Counter[str]]:
    """Return the products, those with each tag summed over the last days, and the changes of each tag."""
    shop = Shop(parameters)
    held = []
    for _, of_day in groupby(baskets, key=lambda basket: basket.time.date()):
        shop.add(of_day)
        held.append(shop.decide())
    return len(shop.rows), sum(held[-LAST_DAYS:], Counter()), shop.changes


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
def main(data: Path) -> None:
    """Print the table."""
    baskets = sorted(read_baskets(data / TABLE), key=lambda basket: basket.time)
    table = Grid(
        "", "products", *(f"{tag}: {kind}" for tag in (BESTSELLER, TRENDING) for kind in ("a day", "changes"))
    )
    for name, parameters in (("with hysteresis", WITH), ("without", WITHOUT)):
        products, held, changes = measure(baskets, parameters)
        cells = (
            cell
            for tag in (BESTSELLER, TRENDING)
            for cell in (f"{held[tag] / LAST_DAYS:.0f}", f"{changes[tag]}")
        )
        table.add_row(name, f"{products}", *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
