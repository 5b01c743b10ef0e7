"""`shelfstream enrich`: enrich a file of listings, with the code of the enrich agent."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter

import click

from models.enrichment.enricher import Enricher
from models.serving_config import ServingConfig
from schemas.codec import decode_product_created, encode
from schemas.errors import ShelfstreamError
from schemas.events import Change, Decision, DecisionOutcome, ProductCreated, ProductEnriched
from streams.commands.file_options import jsonl_options, prototypes_folder, taxonomy_option
from streams.commands.jsonl_io import JsonlReader, print_to_stderr

BATCH = 512
"""Products per call of the enricher. The classifier makes its own batches of them."""

_WITHDRAWN = Decision(
    outcome=DecisionOutcome.ABSTAINED, why="The listing was withdrawn, so there is nothing to decide."
)


@click.command()
@jsonl_options("Output file: product-enriched events, one per line, in input order. - is standard output.")
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of a trained model.  [default: the shipped model]",
)
@taxonomy_option
@click.option("--strict", is_flag=True, help="Exit 1 if a line was invalid.")
def enrich(
    source: str, output: str, rejects: str | None, model: Path | None, taxonomy: Path | None, strict: bool
) -> None:
    """Enrich the product-created events of IN.jsonl (- is standard input).

    Each valid line gives one output line, in the same order. {"product_id", "title"} is enough. A withdrawn
    listing gives a line without category, tags and attributes. Invalid lines are reported and skipped. No
    Kafka is needed. With --taxonomy and without --model, products are classified by the categories' names,
    without training.
    """
    started = perf_counter()
    outcomes = dict.fromkeys(DecisionOutcome, 0)
    try:
        cache = prototypes_folder() if taxonomy is not None else None
        enricher = Enricher.load(ServingConfig(model=model, taxonomy=taxonomy, prototype_cache=cache))
        with (
            JsonlReader(source, decode_product_created, rejects, "enriching") as reader,
            click.open_file(output, "wb", atomic=output != "-") as sink,
        ):
            for batch in _batches(reader):
                for event in enriched_events(enricher, batch):
                    outcomes[event.decision.outcome] += 1
                    sink.write(encode(event) + b"\n")
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


def enriched_events(enricher: Enricher, products: list[ProductCreated]) -> Iterator[ProductEnriched]:
    """Yield the product-enriched event of each product, in order. The events have no source record."""
    listed = [product for product in products if product.change is not Change.WITHDRAWN]
    enrichments = iter(enricher.enrich(listed))
    for product in products:
        if product.change is Change.WITHDRAWN:
            yield ProductEnriched(
                product_id=product.product_id,
                decision=_WITHDRAWN,
                model_version=enricher.model_version,
                taxonomy_version=enricher.taxonomy_version,
                title=product.title,
            )
        else:
            yield enricher.event(product, next(enrichments))


def _batches(events: Iterable[ProductCreated]) -> Iterator[list[ProductCreated]]:
    source = iter(events)
    while batch := list(islice(source, BATCH)):
        yield batch
