"""Measures what a minimum support, and differential privacy, cost in recall of related products.

Run: `python -m benchmarks.private_affinity --data FOLDER`, with UCI Online Retail in FOLDER (see
`benchmarks.affinity_recall`). Baskets before `--from` are learned from, those until `--to` are scored. The
recall is that of `shelfstream evaluate affinity`: per item, of the basket's other products in the top 20.

The noise does not depend on the size of a shop. "10 times as many sessions" is a shop whose counts are 10
times as large.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.pair_tables import (
    PARAMETERS,
    Pair,
    count_pairs,
    of_two_or_more,
    ranked_lists,
    read_country_baskets,
)
from models.behavior.evaluation.affinity import TOP, item_recall
from models.behavior.evaluation.baskets import Basket
from models.behavior.neighbors import RankedNeighbor
from models.behavior.noised_counts import Contribution, NoisedCounts, PrivacyBudget
from schemas.events import Relation

ALL_PRODUCTS = 100
MINIMUMS = (2, 3, 5, 10)
EPSILONS = (1.0, 3.0, 10.0)
PRODUCTS = 5
SIZES = (1, 10, 100)
_SECRET = bytes(32)
_DAY_S = 86_400.0


def noised_lists(counts: Mapping[Pair, float], noise: NoisedCounts, end: float) -> dict[str, list[str]]:
    """Return what the mechanism publishes of each product, best first."""
    rows: dict[str, list[RankedNeighbor]] = {}
    for (one, other), weight in counts.items():
        rows.setdefault(one, []).append(RankedNeighbor(other, weight, 1))
        rows.setdefault(other, []).append(RankedNeighbor(one, weight, 1))
    return {
        product: [entry.product_id for entry in noise.noised(product, Relation.BOUGHT, row, end)[:TOP]]
        for product, row in rows.items()
    }


def supports(baskets: Sequence[Basket]) -> Counter[Pair]:
    """Count the baskets of each pair."""
    found: Counter[Pair] = Counter()
    for basket in baskets:
        first = basket.products[:ALL_PRODUCTS]
        for rank, later in enumerate(first):
            found.update((min(each, later), max(each, later)) for each in first[:rank])
    return found


def print_row(name: str, lists: Mapping[str, list[str]], scored: Sequence[Basket]) -> None:
    """Print a row of the table: recall, products with a list, and the mean length of a list."""
    recall = item_recall(scored, lambda product: lists.get(product, ()), {})[0] or 0.0
    full = [each for each in lists.values() if each]
    length = sum(map(len, full)) / max(1, len(full))
    click.echo(f"| {name} | {recall:.4f} | {len(full):,} | {length:.1f} |")


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--from", "since", default="2011-07-01", show_default=True, type=click.DateTime(["%Y-%m-%d"]))
@click.option("--to", "until", default="2011-08-01", show_default=True, type=click.DateTime(["%Y-%m-%d"]))
@click.option("--period", "period_days", default=28.0, show_default=True, type=click.FloatRange(min=1.0))
def main(data: Path, since: datetime, until: datetime, period_days: float) -> None:
    """Print the table of docs/operations/shopper-privacy.md."""
    start, stop = (each.replace(tzinfo=UTC).timestamp() for each in (since, until))
    baskets = [basket for _, basket in read_country_baskets(data)]
    learned = [basket for basket in baskets if basket.time < start]
    scored = of_two_or_more(basket for basket in baskets if start <= basket.time < stop)
    click.echo(
        f"Learned from {len(learned):,} baskets, scored on {len(scored):,}; period {period_days:g} days.\n"
    )
    click.echo("| published | recall@20 | products with a list | mean length |\n| --- | ---: | ---: | ---: |")
    counts = count_pairs(learned, ALL_PRODUCTS, start)
    print_row("all", ranked_lists(counts, TOP), scored)
    number = supports(learned)
    for minimum in MINIMUMS:
        kept = {pair: weight for pair, weight in counts.items() if number[pair] >= minimum}
        print_row(f"minimum support {minimum}", ranked_lists(kept, TOP), scored)
    bounded = count_pairs(learned, PRODUCTS, start)
    print_row(f"first {PRODUCTS} products of a session", ranked_lists(bounded, TOP), scored)
    contribution = Contribution.of_sessions(PRODUCTS, PARAMETERS)
    for size in SIZES:
        larger = {pair: size * weight for pair, weight in bounded.items()}
        for epsilon in EPSILONS:
            budget = PrivacyBudget(epsilon)
            noise = NoisedCounts(budget, contribution, _SECRET, period_days * _DAY_S)
            total = budget.over_all_periods(period_days * _DAY_S, PARAMETERS.half_life_s)
            times = "" if size == 1 else f"{size} times "
            name = f"{times}as many sessions, ε {epsilon:g} a period ({total:.1f} for ever), "
            name += f"σ {noise.deviation:.1f}, threshold {noise.threshold:.0f}"
            print_row(name, noised_lists(larger, noise, start), scored)


if __name__ == "__main__":
    main()
