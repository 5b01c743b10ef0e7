"""`shelfstream enrich`: enrich a file of listings, with the code of the enrich agent."""

from collections.abc import Iterable, Iterator
from itertools import islice
from time import perf_counter

import click

from models.enrichment.enricher import Enricher
from models.enrichment.shop_mix import ShopMixes
from schemas.codec import decode_listing, encode
from schemas.errors import ShelfstreamError
from schemas.events import Change, Decision, DecisionOutcome, ProductCreated, ProductEnriched
from schemas.tolerant_reader import Ignored
from streams.commands.file_options import jsonl_options
from streams.commands.jsonl_io import JsonlReader, print_to_stderr
from streams.commands.serving_options import ChosenServing, serving_options
from streams.importing.writing import write_lines

BATCH = 512
"""Products per call of the enricher. The classifier makes its own batches of them."""

_Read = tuple[ProductCreated, Ignored]

_WITHDRAWN = Decision(
    outcome=DecisionOutcome.ABSTAINED, why="The listing was withdrawn, so there is nothing to decide."
)


@click.command()
@jsonl_options("Output file: product-enriched events, one per line, in input order. - is standard output.")
@serving_options
@click.option("--strict", is_flag=True, help="Exit 1 if a line was invalid.")
def enrich(source: str, output: str, rejects: str | None, serving: ChosenServing, strict: bool) -> None:
    """Enrich the product-created events of IN.jsonl (- is standard input).

    Each valid line gives one output line, in the same order. {"product_id", "title"} is enough. A withdrawn
    listing gives a line without category, tags and attributes. Invalid lines are reported and skipped. No
    Kafka is needed. The model, the taxonomy and the thresholds are those of the worker's settings, and
    options override them. As in a worker, a shop's listings so far weigh the departments of the next one.
    With a taxonomy of your own and without a model, products are classified by the categories' names,
    without training.
    """
    started = perf_counter()
    outcomes = dict.fromkeys(DecisionOutcome, 0)
    try:
        enricher = Enricher.load(serving.config)
        print_to_stderr(
            serving.describe(enricher.model_version, enricher.taxonomy_version, enricher.thresholds)
        )
        with JsonlReader(source, ProductCreated, decode_listing, rejects, "enriching") as reader:
            mixes = ShopMixes(enricher.mix(None)) if serving.shop_mix else None
            write_lines(_lines(enricher, reader, outcomes, mixes), output)
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot read or write: {error}") from error
    decided, abstained = outcomes[DecisionOutcome.MODEL], outcomes[DecisionOutcome.ABSTAINED]
    by_shop = f", {outcomes[DecisionOutcome.SHOP]:,} by the shop" if outcomes[DecisionOutcome.SHOP] else ""
    seconds = perf_counter() - started
    print_to_stderr(
        f"{reader.summary()}; {decided:,} decided by {enricher.model_version}{by_shop}, "
        f"{abstained:,} abstained, written to {output} in {seconds:.1f} s"
    )
    if strict and reader.rejected:
        raise SystemExit(1)


def _lines(
    enricher: Enricher,
    listings: Iterable[_Read],
    outcomes: dict[DecisionOutcome, int],
    mixes: ShopMixes | None,
) -> Iterator[bytes]:
    """Yield the encoded events, and count their outcomes."""
    for batch in _batches(listings):
        for event in enriched_events(enricher, batch, mixes):
            outcomes[event.decision.outcome] += 1
            yield encode(event)


def enriched_events(
    enricher: Enricher, listings: list[_Read], mixes: ShopMixes | None = None
) -> Iterator[ProductEnriched]:
    """Yield the product-enriched event of each listing, in order. The events have no source record.

    Args:
        enricher: The model.
        listings: The listings, with the fields that were left out.
        mixes: The mixes of their shops, which weigh and count them; None for no mix.
    """
    listed = [product for product, _ in listings if product.change is not Change.WITHDRAWN]
    enrichments = iter(enricher.enrich(listed, mixes))
    for product, ignored in listings:
        if product.change is Change.WITHDRAWN:
            yield ProductEnriched(
                product_id=product.product_id,
                decision=_WITHDRAWN,
                model_version=enricher.model_version,
                taxonomy_version=enricher.taxonomy_version,
                title=product.title,
                ignored_fields=list(ignored),
            )
        else:
            yield enricher.event(product, next(enrichments), ignored=ignored)


def _batches(events: Iterable[_Read]) -> Iterator[list[_Read]]:
    source = iter(events)
    while batch := list(islice(source, BATCH)):
        yield batch
