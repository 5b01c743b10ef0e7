"""Simulates shops that learn related products together without showing each other their baskets.

Run: `python -m benchmarks.federated --data FOLDER`, with UCI Online Retail in FOLDER (see
`benchmarks.affinity_recall`). The customers of each country are a shop; countries with few baskets are one.
Without `--data` the shops are simulated: the same catalog and tastes, other customers, in other numbers.

Each shop counts pairs of its own baskets. It shares only counts with noise that reach a threshold, as
`models.behavior.noised_counts` does, with one direction of a pair and one relation. A shop's lists are made
of its own counts and the shared ones of the others. Beside them: lists of its own counts alone, and of all
baskets pooled, which nobody could make without seeing them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

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
SHARED_PRODUCTS = 5
EPSILONS = (3.0, 10.0)
LARGEST_SHOPS = 4
SIMULATED = {"large": 6_000, "middle": 1_000, "small": 100}
_DAY_S = 86_400.0

Shops = Mapping[str, Sequence[Basket]]


def shops_by_country(data: Path) -> dict[str, list[Basket]]:
    """Return the baskets of each shop: of the countries with the most baskets, and of all others."""
    baskets = read_country_baskets(data)
    most = [name for name, _ in Counter(country for country, _ in baskets).most_common(LARGEST_SHOPS)]
    shops: dict[str, list[Basket]] = {name: [] for name in [*most, "other countries"]}
    for country, basket in baskets:
        shops[country if country in shops else "other countries"].append(basket)
    return shops


def simulated_shops(start: float, stop: float, seed: int = 1) -> dict[str, list[Basket]]:
    """Return baskets of simulated shops: themes of 12 products each, of which a basket has a few."""
    random = Random(seed)
    themes = [[f"t{theme}-{number}" for number in range(12)] for theme in range(60)]
    weights = [1.0 / (1 + place) for place in range(len(themes))]
    shops = {}
    for name, size in SIMULATED.items():
        found = []
        for number in range(size):
            [theme] = random.choices(themes, weights)
            products = random.sample(theme, random.randint(2, 6)) + random.sample(random.choice(themes), 1)
            time = start - 180 * _DAY_S + random.random() * (stop - start + 180 * _DAY_S)
            found.append(Basket(time, f"{name}-{number}", tuple(dict.fromkeys(products)), True))
        shops[name] = sorted(found, key=lambda basket: basket.time)
    return shops


def shared_counts(shop: str, baskets: Sequence[Basket], as_of: float, epsilon: float) -> Counter[Pair]:
    """Return the counts that a shop shows: with noise, and above the threshold.

    Args:
        shop: The shop, which has a key of its own.
        baskets: Its baskets.
        as_of: The time to decay to, in seconds since 1970.
        epsilon: The loss of privacy of one basket by this publication.
    """
    contribution = Contribution.of_sessions(SHARED_PRODUCTS, PARAMETERS, relations=1, directions=1)
    noise = NoisedCounts(PrivacyBudget(epsilon), contribution, shop.encode(), _DAY_S)
    rows: dict[str, list[RankedNeighbor]] = {}
    for (one, other), weight in count_pairs(baskets, SHARED_PRODUCTS, as_of).items():
        rows.setdefault(one, []).append(RankedNeighbor(other, weight, 1))
    shared: Counter[Pair] = Counter()
    for product, row in rows.items():
        for entry in noise.noised(product, Relation.BOUGHT, row, as_of):
            shared[product, entry.product_id] = entry.score  # type: ignore[assignment]
    return shared


def compare(shops: Shops, start: float, stop: float) -> list[list[str]]:
    """Return the rows of the table: each shop's recall by its own counts, by shared ones, and by all."""
    learned = {name: [each for each in baskets if each.time < start] for name, baskets in shops.items()}
    own = {name: count_pairs(baskets, ALL_PRODUCTS, start) for name, baskets in learned.items()}
    shared = {
        epsilon: {name: shared_counts(name, baskets, start, epsilon) for name, baskets in learned.items()}
        for epsilon in EPSILONS
    }
    pooled = sum(own.values(), Counter())
    rows = []
    for name, baskets in shops.items():
        scored = of_two_or_more(each for each in baskets if start <= each.time < stop)
        ways = [own[name]]
        for parts in shared.values():
            others = [part for other, part in parts.items() if other != name]
            ways.append(sum(others, Counter(own[name])))
        ways.append(pooled)
        recalls = [f"{recall(counts, scored):.4f}" for counts in ways]
        pairs = [f"{len(parts[name]):,}" for parts in shared.values()]
        rows.append([name, f"{len(learned[name]):,}", f"{len(scored):,}", *recalls, *pairs])
    return rows


def recall(counts: Mapping[Pair, float], scored: Sequence[Basket]) -> float:
    """Return recall@20 of the lists of these counts."""
    lists = ranked_lists(counts, TOP)
    return item_recall(scored, lambda product: lists.get(product, ()), {})[0] or 0.0


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--from", "since", default="2011-07-01", show_default=True, type=click.DateTime(["%Y-%m-%d"]))
@click.option("--to", "until", default="2011-08-01", show_default=True, type=click.DateTime(["%Y-%m-%d"]))
def main(data: Path | None, since: datetime, until: datetime) -> None:
    """Print the table of docs/models/federated.md."""
    start, stop = (each.replace(tzinfo=UTC).timestamp() for each in (since, until))
    shops = simulated_shops(start, stop) if data is None else shops_by_country(data)
    ways = ["own", *(f"with ε {epsilon:g}" for epsilon in EPSILONS), "pooled"]
    shared = [f"pairs shared, ε {epsilon:g}" for epsilon in EPSILONS]
    header = ["shop", "baskets", "scored", *ways, *shared]
    click.echo(f"| {' | '.join(header)} |\n| --- |{' ---: |' * (len(header) - 1)}")
    for row in compare(shops, start, stop):
        click.echo(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
