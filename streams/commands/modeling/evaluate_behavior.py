"""`shelfstream evaluate affinity`, `basket`, `tastes`, `next-item`, `next-action`: later behavior."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import click
import msgspec

from models.behavior.evaluation.affinity import evaluate_affinity
from models.behavior.evaluation.basket import evaluate_basket
from models.behavior.evaluation.learning import Progress, Split, split_at
from models.behavior.evaluation.next_item import evaluate_next_item
from models.behavior.evaluation.score_table import ScoreTable
from models.behavior.evaluation.tastes import evaluate_tastes
from models.behavior.parameters import BehaviorParameters
from models.evaluation.behavior_page import behavior_page, behavior_picture, shown
from models.training.behavior.next_action_table import evaluate_next_action
from schemas.errors import ShelfstreamError
from schemas.events import Relation
from streams.commands.behavior_files import read_behavior, read_categories, read_embeddings
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.progress import step_bars
from streams.commands.terminal_tables import new_table, print_table

C = TypeVar("C", bound=Callable[..., Any])

_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
_REPORTED = 5
_HTML, _SVG, _JSON = ".html", ".svg", ".json"


def _options(command: C) -> C:
    """Add the options that the evaluations on behavior share, and report errors as sentences."""

    @wraps(command)
    def guarded(*args: Any, **values: Any) -> None:
        try:
            command(*args, **values)
        except ShelfstreamError as error:
            raise click.ClickException(str(error)) from error

    behavior = click.option(
        "--behavior",
        required=True,
        type=click.Path(exists=True, dir_okay=False, allow_dash=True),
        help="File of user-behavior events, one per line, also compressed. `shelfstream import` writes them.",
    )
    since = click.option(
        "--from", "since", required=True, type=_TIME, help="Learn from what is before, score what is after."
    )
    until = click.option("--to", "until", type=_TIME, help="Score nothing from this time (UTC) on.")
    report = click.option(
        "--report",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        help="Also write the figures to this file, as its ending says: .html, .svg (bars) or .json.",
    )
    decorated: Any = behavior(since(until(report(guarded))))
    return decorated  # type: ignore[no-any-return]


@click.command()
@_options
@click.option(
    "--relation",
    type=click.Choice([Relation.VIEWED.value, Relation.CARTED.value, Relation.BOUGHT.value]),
    default=Relation.BOUGHT.value,
    show_default=True,
    help="What is to be predicted: products that are viewed, carted or bought together.",
)
@click.option(
    "--products",
    type=click.Path(exists=True, dir_okay=False),
    help="File of product-enriched events, as `shelfstream enrich` writes: the texts of `recommended`.",
)
def affinity(
    behavior: str,
    since: datetime,
    until: datetime | None,
    report: Path | None,
    relation: str,
    products: str | None,
) -> None:
    """Score related products: recall@20 of the other products of later baskets.

    Learns from the events before --from with the code of the agents, and prints what is published beside
    popularity and counts of pairs from the same baskets.
    """
    embeddings = {} if products is None else read_embeddings(products)
    _evaluate(
        behavior,
        since,
        until,
        report,
        lambda split, progress: evaluate_affinity(
            split, Relation(relation), BehaviorParameters(), progress, embeddings
        ),
    )


@click.command()
@_options
def basket(behavior: str, since: datetime, until: datetime | None, report: Path | None) -> None:
    """Score the completion of baskets: recall@20 of the second half, given the first.

    Uses what is published before --from: related products, and each shopper's products.
    """
    _evaluate(
        behavior,
        since,
        until,
        report,
        lambda split, progress: evaluate_basket(split, BehaviorParameters(), progress),
    )


@click.command()
@_options
@click.option(
    "--products",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="File of product-enriched events, as `shelfstream enrich` writes: the categories of the products.",
)
def tastes(
    behavior: str, since: datetime, until: datetime | None, report: Path | None, products: str
) -> None:
    """Score the tastes of shoppers: rank and log loss of the categories of their next purchases.

    Foretells each basket from --from on from what is before it, beside the shop's popularity.
    """
    labels = read_categories(products)
    _evaluate(
        behavior,
        since,
        until,
        report,
        lambda split, progress: evaluate_tastes(split, labels, BehaviorParameters(), progress),
    )


@click.command("next-item")
@_options
def next_item(behavior: str, since: datetime, until: datetime | None, report: Path | None) -> None:
    """Score the next viewed item of a session: recall@20 and mean reciprocal rank, repeats counted."""
    _evaluate(
        behavior,
        since,
        until,
        report,
        lambda split, progress: evaluate_next_item(split, BehaviorParameters(), progress),
    )


@click.command("next-action")
@_options
def next_action(behavior: str, since: datetime, until: datetime | None, report: Path | None) -> None:
    """Score the next action: how well purchases and leaving are foretold in later sessions.

    Learns from the events before --from, and prints the Markov chain of the last two actions beside the kind
    of model that is shipped, and the shipped model as it is.
    """
    _evaluate(behavior, since, until, report, evaluate_next_action)


def _evaluate(
    behavior: str,
    since: datetime,
    until: datetime | None,
    report: Path | None,
    evaluation: Callable[[Split, Progress], ScoreTable],
) -> None:
    """Read events, evaluate, print the table, and write the report."""
    if report is not None and report.suffix not in (_HTML, _SVG, _JSON):
        raise click.UsageError(f"--report {report} ends with none of {_HTML}, {_SVG} and {_JSON}.")
    start = _seconds(since)
    end = inf if until is None else _seconds(until)
    if end <= start:
        raise click.UsageError(f"--to {until:%Y-%m-%d} is not after --from {since:%Y-%m-%d}.")
    began = perf_counter()
    split = split_at(read_behavior(behavior), start, end)
    _check(split, behavior, since)
    with step_bars() as progress:
        scores = evaluation(split, progress)
    _print(scores)
    if report is not None:
        _write(scores, report)
    written = "" if report is None else f"; the report is {report}"
    print_to_stderr(
        f"{len(split.learned) + len(split.scored):,} events in {perf_counter() - began:.0f} s{written}"
    )


def _check(split: Split, path: str, since: datetime) -> None:
    """Tell why there is nothing to learn from, or nothing to score."""
    for events, where in ((split.learned, "before"), (split.scored, "after")):
        if not events:
            other = [*split.learned, *split.scored]
            first, last = other[0].occurred_at, other[-1].occurred_at
            raise click.ClickException(
                f"{path} has no events {where} --from {since:%Y-%m-%d}: its events are from "
                f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
                if other
                else f"{path} has no events in this range"
            )


def _print(scores: ScoreTable) -> None:
    table = new_table(scores.title, *scores.columns)
    for row in scores.rows:
        name = f"[bold]{row.name}[/bold]" if row.ours else row.name
        table.add_row(name, *map(shown, row.values))
    print_table(table)
    for note in scores.notes:
        click.echo(note)


def _write(scores: ScoreTable, path: Path) -> None:
    if path.suffix == _JSON:
        content = msgspec.json.format(msgspec.json.encode(scores), indent=1) + b"\n"
    elif path.suffix == _SVG:
        content = behavior_picture(scores).encode()
    else:
        content = behavior_page([scores]).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"cannot write the report: {error}") from error


def _seconds(time: datetime) -> float:
    return time.replace(tzinfo=UTC).timestamp()
