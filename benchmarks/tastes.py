"""Measures how well a shopper's published categories foretell the categories of later purchases.

Run: `python -m benchmarks.tastes --data FOLDER --from 2011-07-01 --to 2011-08-01`, where FOLDER holds
`behavior/online_retail_2010-12_2011-08.csv.gz`. Products have the categories that the shipped model is sure
of. Each basket of a known shopper is foretold from what came before it. Popularity is the average shopper of
the shop. The reciprocal rank is 0 beyond the 20 categories of a list; a probability in the log loss is at
least 1e-6. "New" are products that the shopper did not buy before.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from math import log
from pathlib import Path

import click

from benchmarks.sample_extract import InvoiceLine, read_lines
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import ProductWeights, add_action, preferences
from models.behavior.taste_mean import ProductLabels, TasteMean, taste_mean
from models.enrichment.enricher import Enricher
from schemas.events import Action, DecisionOutcome, ProductCreated

_PARAMETERS = BehaviorParameters(preference_top=10_000)
_FLOOR = 1e-6
_TOP = 20


@dataclass(slots=True)
class Scores:
    """Sums over foretold products."""

    products: int = 0
    reciprocal_ranks: float = 0.0
    losses: float = 0.0

    def add(self, scores: Mapping[str, float], category: str) -> None:
        """Add a product of a category, foretold by scores in descending order."""
        best = list(scores)[:_TOP]
        self.products += 1
        self.reciprocal_ranks += 1 / (best.index(category) + 1) if category in best else 0.0
        self.losses -= log(max(scores.get(category, 0.0), _FLOOR))

    def row(self, name: str) -> str:
        """Return a line of the table."""
        return (
            f"{name:36} {self.reciprocal_ranks / self.products:.3f}  {self.losses / self.products:.3f}"
            f"  {self.products:,}"
        )


def labels_of(lines: list[InvoiceLine]) -> dict[str, ProductLabels]:
    """Classify the products by their first titles. A category of which the model is not sure is none."""
    titles: dict[str, str] = {}
    for line in lines:
        titles.setdefault(line.code, line.title)
    listings = [ProductCreated(product_id=code, title=title) for code, title in titles.items()]
    enricher, found = Enricher.load(), {}
    for start in range(0, len(listings), 256):
        part = listings[start : start + 256]
        for listing, enrichment in zip(part, enricher.enrich(part), strict=True):
            event = enricher.event(listing, enrichment)
            sure = event.decision.outcome is not DecisionOutcome.ABSTAINED and event.category is not None
            path = event.category.path if event.category is not None and sure else None
            found[listing.product_id] = ProductLabels((), path)
    return found


def by_basket(lines: list[InvoiceLine]) -> Iterator[list[InvoiceLine]]:
    """Yield the lines of each invoice of a known shopper, in order of time."""
    for _, group in groupby(lines, key=lambda line: (line.invoice, line.customer)):
        basket = list(group)
        if basket[0].customer:
            yield basket


def measure(lines: list[InvoiceLine], start: datetime) -> dict[str, Scores]:
    """Foretell the products of baskets from `start` on."""
    labels = labels_of(lines)
    weights: dict[str, ProductWeights] = defaultdict(dict)
    popular: dict[str, float] = defaultdict(float)
    bought: dict[str, set[str]] = defaultdict(set)
    results: dict[str, Scores] = defaultdict(Scores)
    half_life_s = _PARAMETERS.preference_half_life_s
    for basket in by_basket(lines):
        shopper = basket[0].customer
        if basket[0].time >= start and bought[shopper]:
            mean = taste_mean(popular.items(), labels.get)
            ways = {
                "popularity": mean.categories,
                "own proportions": _scores(weights[shopper], labels, TasteMean({}, {})),
                "published": _scores(weights[shopper], labels, mean),
            }
            for code in dict.fromkeys(line.code for line in basket):
                category = labels[code].category
                for name, scores in ways.items() if category is not None else ():
                    results[f"{name}, all products"].add(scores, category or "")
                    if code not in bought[shopper]:
                        results[f"{name}, new products"].add(scores, category or "")
        for line in basket:
            add_action(weights[shopper], line.code, Action.PURCHASE, line.time.timestamp(), _PARAMETERS)
            popular[line.code] += 2.0 ** ((line.time - start).total_seconds() / half_life_s)
            bought[shopper].add(line.code)
    return results


def _scores(
    weights: ProductWeights, labels: Mapping[str, ProductLabels], mean: TasteMean
) -> dict[str, float]:
    _, categories = preferences(weights, labels.get, _PARAMETERS, mean)
    return {each.name: each.score for each in categories}


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), default="2011-07-01", show_default=True)
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), default="2011-08-01", show_default=True)
def main(data: Path, start: datetime, end: datetime) -> None:
    """Print a table."""
    path = data / "behavior" / "online_retail_2010-12_2011-08.csv.gz"
    lines = read_lines(path, datetime(2010, 12, 1, tzinfo=UTC), end.replace(tzinfo=UTC))
    click.echo(f"{'category of the next products':36} MRR    log loss  products")
    for name, scores in sorted(measure(lines, start.replace(tzinfo=UTC)).items()):
        click.echo(scores.row(name))


if __name__ == "__main__":
    main()
