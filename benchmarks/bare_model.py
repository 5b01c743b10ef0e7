"""Measures the model without a pipeline.

Run: `python -m benchmarks.bare_model --titles 20000`. It prints titles per second.
"""

import time

import click

from benchmarks.events import listings
from models.enrichment.enricher import Enricher
from models.serving_config import ServingConfig
from schemas.codec import decode_product_created

BATCH = 4_000
"""The maximum batch of a lane."""


@click.command()
@click.option("--titles", type=click.IntRange(min=BATCH), default=20_000, show_default=True)
@click.option(
    "--cascade/--no-cascade", default=True, help="Run the text encoder where the student is unsure."
)
def main(titles: int, cascade: bool) -> None:
    """Enrich different titles in batches on one thread."""
    products = [decode_product_created(value) for _, value in listings(titles + BATCH)]
    enricher = Enricher.load(ServingConfig(cascade=cascade))
    enricher.enrich(products[:BATCH])  # the first batch warms up
    started = time.perf_counter()
    for start in range(BATCH, len(products), BATCH):
        enricher.enrich(products[start : start + BATCH])
    click.echo(f"{titles / (time.perf_counter() - started):.1f}")


if __name__ == "__main__":
    main()
