"""`shelfstream affinity`: related products, of a product from Kafka, or computed from a file of events."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from models.behavior.offline_affinity import AffinityAggregator
from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_behavior, encode
from schemas.errors import ShelfstreamError
from schemas.events import UserBehavior
from schemas.keys import shopper_id
from schemas.tolerant_reader import Ignored
from streams.commands.file_options import jsonl_options
from streams.commands.jsonl_io import JsonlReader, print_to_stderr
from streams.commands.operate.published import show_related_products
from streams.importing.writing import write_lines
from streams.options import settings_of, settings_options, with_error_messages

BATCH = 20_000
"""Events per batch: enough to amortize the cost of a row, few enough to keep the pairs small."""

NEIGHBORS = 5000
"""Default row width. No row is written to a topic here, so wide rows are affordable: counts are exact in all
but the largest shops.
"""

_DEFAULTS = BehaviorParameters()


@click.command()
@jsonl_options(
    "Output file: affinity-updated events, one per line, ordered by product id. - is standard output.",
    required=False,
)
@click.option(
    "--of", "product", metavar="PRODUCT", help="Show what the deployment publishes of this product."
)
@click.option("--json", "as_json", is_flag=True, help="With --of: print one JSON object, with titles.")
@settings_options
@click.option(
    "--half-life-days",
    type=float,
    default=_DEFAULTS.half_life_days,
    show_default=True,
    help="Days after which the weight of a session is half.",
)
@click.option(
    "--allowed-lateness-days",
    type=float,
    default=_DEFAULTS.allowed_lateness_days,
    show_default=True,
    help="Days that an event may be older than its shopper's latest one before it. Later ones form no pairs.",
)
@click.option(
    "--neighbours",
    "neighbors",
    type=int,
    default=NEIGHBORS,
    show_default=True,
    help="Most neighbors kept per product and relation while counting. Fewer take less memory.",
)
@click.option(
    "--top-k",
    type=int,
    default=_DEFAULTS.top_k,
    show_default=True,
    help="Most related products written per product and relation.",
)
def affinity(
    source: str | None,
    output: str,
    rejects: str | None,
    product: str | None,
    as_json: bool,
    config: Path | None,
    bootstrap_servers: str | None,
    half_life_days: float,
    allowed_lateness_days: float,
    neighbors: int,
    top_k: int,
) -> None:
    """Show the related products of a product, or compute those of all products in a file.

    With --of PRODUCT: reads the last affinity-updated of the product from Kafka, and the titles. The product
    is named by its key: its id, or SHOP/ID if SHELFSTREAM_SHOPS is own-ids.

    With IN.jsonl (- is standard input): computes affinities from its user-behavior events. Writes the final
    state: one affinity-updated event per product, decayed to the time of the product's latest session.
    Invalid lines are reported and skipped. No Kafka is needed.
    """
    if (product is None) == (source is None):
        raise click.UsageError("name either --of PRODUCT or a file IN.jsonl")
    if product is not None:
        settings = settings_of(config, bootstrap_servers).settings
        with_error_messages(show_related_products, settings, product, as_json)
    elif source is not None:
        bounds = {"allowed_lateness_days": allowed_lateness_days, "neighbors": neighbors, "top_k": top_k}
        _compute(source, output, rejects, {"half_life_days": half_life_days, **bounds})


def _compute(source: str, output: str, rejects: str | None, values: Mapping[str, Any]) -> None:
    """Compute the related products of all products in a file."""
    started = perf_counter()
    try:
        parameters = replace(_DEFAULTS, **values)
        aggregator = AffinityAggregator(parameters, shopper_id)
        # As in the stream, no event is more than a day ahead: one would make the scores of all others vanish.
        decode = partial(decode_behavior, received_at=datetime.now(UTC))
        with JsonlReader(source, UserBehavior, decode, rejects, "counting") as reader:
            for batch in _batches(reader):
                aggregator.add(batch)
        write_lines(map(encode, aggregator.updates()), output)
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot read or write: {error}") from error
    products = f"{len(aggregator.products):,} products"
    print_to_stderr(f"{reader.summary()}; {products} written to {output} in {perf_counter() - started:.1f} s")


def _batches(events: Iterable[tuple[UserBehavior, Ignored]]) -> Iterator[list[UserBehavior]]:
    source = (event for event, _ in events)
    while batch := list(islice(source, BATCH)):
        yield batch
