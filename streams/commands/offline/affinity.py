"""`shelfstream affinity`: behaviour in a file to affinities in a file, by the agents' own code."""

from collections.abc import Iterable, Iterator
from itertools import islice
from time import perf_counter

import click

from models.behavior.offline_affinity import AffinityFold
from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_user_behavior, encode
from schemas.errors import ShelfstreamError
from schemas.events import UserBehavior
from schemas.keys import shopper_id
from streams.commands.file_options import jsonl_options
from streams.commands.jsonl_io import JsonlReader, print_to_stderr

BATCH = 20_000
"""Events folded at a time: enough to share the cost of a product's row, few enough to keep pairs small."""

NEIGHBOURS = 5000
"""Rows need not be small where none is written: wide ones count exactly in all but the largest shops."""

_DEFAULTS = BehaviorParameters()


@click.command()
@jsonl_options("Where the affinity-updated events go, one a line, by product id; - is standard output.")
@click.option("--half-life-days", type=float, default=_DEFAULTS.half_life_days, show_default=True)
@click.option(
    "--neighbours",
    type=int,
    default=NEIGHBOURS,
    show_default=True,
    help="Most neighbours kept for each product and relation while counting; fewer take less memory.",
)
@click.option(
    "--top-k",
    type=int,
    default=_DEFAULTS.top_k,
    show_default=True,
    help="Most related products written for each product and relation.",
)
def affinity(
    source: str, output: str, rejects: str | None, half_life_days: float, neighbours: int, top_k: int
) -> None:
    """Read user-behavior events from IN.jsonl (- is standard input) and write each product's affinities.

    The last state is written: one affinity-updated event for each product that occurred, decayed to the
    product's latest session. Bad lines are reported and skipped. No Kafka is needed.
    """
    began = perf_counter()
    try:
        parameters = BehaviorParameters(half_life_days=half_life_days, neighbours=neighbours, top_k=top_k)
        fold = AffinityFold(parameters, shopper_id)
        with JsonlReader(source, decode_user_behavior, rejects, "folding behaviour") as lines:
            for batch in _batches(lines):
                fold.add(batch)
        with click.open_file(output, "wb", atomic=output != "-") as sink:
            for update in fold.updates():
                sink.write(encode(update) + b"\n")
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot read or write: {error}") from error
    products = f"{len(fold.products):,} products"
    print_to_stderr(f"{lines.summary()}; {products} written to {output} in {perf_counter() - began:.1f} s")


def _batches(events: Iterable[UserBehavior]) -> Iterator[list[UserBehavior]]:
    source = iter(events)
    while batch := list(islice(source, BATCH)):
        yield batch
