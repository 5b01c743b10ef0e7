"""`shelfstream replay diff`: what a candidate would change of what is published."""

from pathlib import Path
from typing import TextIO

import click
import orjson

from models.evaluation.decision_diff import BINS, DecisionDiff
from models.evaluation.decision_page import render_diff
from models.registry.registry import Registry
from models.taxonomy.tree import Taxonomy
from schemas.errors import RetryLater, StopWorker
from streams.commands.operate.replay_options import key_options, range_options, selected_keys
from streams.commands.progress import single_bar
from streams.commands.terminal_tables import new_table, print_table
from streams.inference.predictor import Predictor, load_enricher
from streams.options import with_settings
from streams.replay.dead_letter_view import printable
from streams.replay.positions import END, PartitionPosition, merge_positions
from streams.replay.replay_diff import ReplayDiff
from streams.serving_settings import serving_config
from streams.settings import Settings
from streams.topics import PRODUCT_CREATED

LIMIT_EXCEEDED = 3
"""Exit code if more products change than --max-changed allows."""
_FLOWS_SHOWN = 20
_NAMES_SHOWN = 8


@click.command("diff")
@click.argument("topic", default=PRODUCT_CREATED)
@range_options
@key_options
@click.option(
    "--candidate", required=True, help="Version in the model registry, or the directory of a trained model."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all figures.")
@click.option(
    "--max-changed",
    type=click.FloatRange(0, 1),
    help="Exit 3 if the published category changes for more than this share of the products.",
)
@with_settings
def diff(
    settings: Settings,
    topic: str,
    begin: tuple[PartitionPosition, ...],
    until: tuple[PartitionPosition, ...],
    key: tuple[str, ...],
    keys_file: TextIO | None,
    candidate: str,
    html: Path | None,
    as_json: bool,
    max_changed: float | None,
) -> None:
    """Show what a candidate would change of what is published, and write nothing.

    Predicts the listings of a range of TOPIC (product-created) with the candidate and the settings of a
    worker, in this process, and compares with product-enriched: categories, confidences, tags, attributes.
    Of each product the newest listing of the range is compared, unless another listing of it is published
    since or a person decided its category. Needs no worker.
    """
    keys = selected_keys(key, keys_file)
    first, end = merge_positions(begin, "--from"), merge_positions(until, "--until", END)
    config = serving_config(settings, _model_folder(settings, candidate))
    with single_bar("loading the candidate") as on_progress:
        predictor = Predictor(load_enricher(config))
        try:
            with ReplayDiff(settings, predictor, on_progress) as session:
                result = session.run(topic, first, end, keys)
        except (RetryLater, StopWorker) as error:
            raise click.ClickException(str(error)) from error
    if html is not None:
        _write_page(result, topic, html)
    if as_json:
        click.echo(orjson.dumps(result.as_dict(), option=orjson.OPT_INDENT_2))
    else:
        _show(result)
    if max_changed is not None:
        _check_limit(result, max_changed)


def _check_limit(result: DecisionDiff, limit: float) -> None:
    """End with an exit code if too many products change, or if none was compared."""
    if not result.compared:
        raise click.ClickException("no product was compared, so --max-changed cannot be checked")
    if result.changed_share > limit:
        share = f"{result.changed_share:.1%} of the products"
        click.echo(f"{share} change their category; at most {limit:.1%} are allowed.", err=True)
        raise SystemExit(LIMIT_EXCEEDED)


def _model_folder(settings: Settings, candidate: str) -> Path:
    """Return the directory of a candidate: the one that is named, or the registry's.

    Raises:
        StopWorker: The candidate is neither a directory nor a version of the registry.
    """
    if Path(candidate).is_dir():
        return Path(candidate)
    if settings.model_registry is None:
        raise StopWorker(
            f"{candidate} is not a directory; for a version, set SHELFSTREAM_MODEL_REGISTRY to its registry"
        )
    return Registry(settings.model_registry, Taxonomy.of(settings.taxonomy)).artifact(candidate).path


def _write_page(result: DecisionDiff, topic: str, path: Path) -> None:
    try:
        path.write_text(render_diff(result, f"Listings of {topic}"), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from error
    click.echo(f"The page is {path}.", err=True)


def _show(result: DecisionDiff) -> None:
    """Print the totals and tables of the changes."""
    published_by = ", ".join(f"{version} {count:,}" for version, count in result.models.most_common())
    click.echo(f"{result.candidate_version} against what is published (by {published_by or 'no model'})")
    share = max(1, result.compared)
    for what, count in (
        ("another published category", result.changed),
        ("other tags", result.tags_changed),
        ("other attributes", result.attributes_changed),
    ):
        click.echo(f"{count:,} of {result.compared:,} products ({count / share:.1%}): {what}")
    for reason, count in result.left_out.most_common():
        click.echo(f"{count:,} not compared: {reason}")
    if not result.compared:
        return
    _show_outcomes(result)
    _show_confidences(result)
    _show_flows(result)
    _show_names("tag", result.tags.most_common(_NAMES_SHOWN))
    _show_names("attribute", result.attributes.most_common(_NAMES_SHOWN))


def _show_outcomes(result: DecisionDiff) -> None:
    table = new_table("published outcome", "candidate's", "products")
    for (before, after), count in result.outcomes.most_common():
        table.add_row(before, after, f"{count:,}")
    print_table(table)


def _show_confidences(result: DecisionDiff) -> None:
    table = new_table("confidence", "published", "candidate")
    pairs = zip(result.published_confidence, result.candidate_confidence, strict=True)
    for number, (published, candidate) in enumerate(pairs):
        name = f"{number / BINS:.0%} to {(number + 1) / BINS:.0%}"
        table.add_row(name, f"{published:,}", f"{candidate:,}")
    print_table(table)


def _show_flows(result: DecisionDiff) -> None:
    if not result.flows:
        return
    table = new_table("products", "from", "to", "example")
    for before, after, flow in result.largest_flows(_FLOWS_SHOWN):
        example = flow.examples[0]
        table.add_row(
            f"{flow.products:,}", before, after, printable(f"{example.product_id}: {example.title}")
        )
    print_table(table)
    if len(result.flows) > _FLOWS_SHOWN:
        click.echo(f"{len(result.flows) - _FLOWS_SHOWN:,} smaller changes are not shown: --json has all")


def _show_names(what: str, counts: list[tuple[tuple[str, str], int]]) -> None:
    if counts:
        click.echo(f"{what}s: " + ", ".join(f"{sign}{name} {count:,}" for (sign, name), count in counts))
