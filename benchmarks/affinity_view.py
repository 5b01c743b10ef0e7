"""Measures the affinity view: memory and reading time by the number of related products of a product.

Run: `python -m benchmarks.affinity_view`. Products are simulated: each has that many related products of each
relation, drawn from the catalog, so that the figure for 20 of all three relations is the most that a product
takes. "read" is processor time to read a product into the view, JSON included and Kafka not.
"""

import gc
from datetime import UTC, datetime
from time import process_time

import click
import numpy as np

from benchmarks.catalog_growth import product_id, resident
from schemas.codec import encode
from schemas.events import AffinityUpdated, Related, Relation
from streams.agents.affinity_view import AffinityView
from streams.records import MemoryRecord
from streams.topics import AFFINITY_UPDATED

_CHUNK = 1000
_CASES = (
    (5, (Relation.VIEWED,)),
    (20, (Relation.VIEWED,)),
    (20, (Relation.VIEWED, Relation.CARTED, Relation.BOUGHT)),
)


def record(number: int, neighbors: list[int], relations: tuple[Relation, ...]) -> MemoryRecord:
    """Return a record of affinity-updated: the product `number`, with neighbors for each relation."""
    related = [
        Related(product_id=product_id(each), relation=relation, score=1.0 + each % 7, support=3)
        for relation in relations
        for each in neighbors
    ]
    event = AffinityUpdated(
        product_id=product_id(number),
        related=related,
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        half_life_days=75.0,
    )
    key = product_id(number).encode()
    return MemoryRecord(AFFINITY_UPDATED, 0, number, key=key, value=encode(event))


def measure(products: int, count: int, relations: tuple[Relation, ...]) -> tuple[float, float]:
    """Fill a view.

    Returns:
        Bytes of resident memory, and microseconds of processor time, for each product.
    """
    random = np.random.default_rng(0)
    gc.collect()
    view, before, took = AffinityView(products), resident(), 0.0
    for start in range(0, products, _CHUNK):
        drawn = random.integers(products, size=(_CHUNK, count)).tolist()
        records = [record(start + each, drawn[each], relations) for each in range(_CHUNK)]
        began = process_time()
        view.update(records)
        took += process_time() - began
    return (resident() - before) / len(view), 1e6 * took / len(view)


@click.command()
@click.option("--products", default=100_000, show_default=True, help="Products of the catalog.")
def main(products: int) -> None:
    """Print a table."""
    click.echo("| related products | bytes a product | read |")
    click.echo("| ---: | ---: | ---: |")
    for count, relations in _CASES:
        size, micros = measure(products, count, relations)
        click.echo(f"| {count * len(relations)} | {size:.0f} | {micros:.0f} µs |")


if __name__ == "__main__":
    main()
