"""`shelfstream feedback`: export human feedback as training data."""

import secrets
from collections import Counter
from functools import partial
from pathlib import Path

import click

from models.taxonomy.tree import Taxonomy
from models.training.data.feedback_lines import Conflict, FeedbackLine, encode_line, find_conflicts
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.terminal_tables import progress_bar
from streams.feedback.export import FeedbackExport, pseudonym, training_lines
from streams.feedback.history import FeedbackHistory
from streams.options import POSITION, with_settings
from streams.replay.positions import START, Position
from streams.settings import Settings

_MIN_SALT = 16
_MAX_SHOWN = 20


@click.group()
def feedback() -> None:
    """Export human feedback as training data."""


@feedback.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, writable=True),
    default="-",
    show_default=True,
    help="File of JSON lines to write, one per product; - is standard output.",
)
@click.option(
    "--from", "begin", type=POSITION, default=START, help="First feedback record: offset, time, -90d, start."
)
@click.option("--with-names", is_flag=True, help="Write people's names instead of pseudonyms.")
@click.option(
    "--salt-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Secret that keeps pseudonyms the same in all exports. If unset, they differ in each export.",
)
@click.option(
    "--without", multiple=True, metavar="NAME", help="Leave out the feedback of this person; repeatable."
)
@with_settings
def export(
    settings: Settings,
    output: str,
    begin: Position,
    with_names: bool,
    salt_file: Path | None,
    without: tuple[str, ...],
) -> None:
    """Write the latest feedback on each product.

    Each line has the product's title and the feedback's provenance.

    Reads category-feedback, product-enriched and product-created up to their current ends, read committed,
    and writes nothing to Kafka. Decisions of the model alone are not exported.
    """
    anonymize = str if with_names else partial(pseudonym, salt=_salt(salt_file))
    taxonomy = Taxonomy.of(settings.taxonomy)
    with FeedbackExport(settings, FeedbackHistory(taxonomy, frozenset(without))) as feedback_export:
        ranges = feedback_export.ranges(begin)
        with progress_bar("reading feedback", sum(each.offsets for each in ranges.feedback)) as advance:
            entries = feedback_export.read_feedback(ranges, advance)
        with progress_bar("reading products", ranges.products) as advance:
            products = feedback_export.read_products(ranges, entries, advance)
    lines, left_out = training_lines(entries, products, taxonomy, anonymize)
    try:
        with click.open_file(output, "wb", atomic=output != "-") as sink:
            for line in lines:
                sink.write(encode_line(line) + b"\n")
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error}") from error
    _show_left_out(feedback_export.history, left_out, taxonomy)
    show_conflicts(find_conflicts(lines, taxonomy), taxonomy)
    print_to_stderr(_summary(lines, feedback_export.history, output))


def _salt(path: Path | None) -> bytes:
    """Read the key of the pseudonyms; without a file, return a random one that is not kept."""
    if path is None:
        return secrets.token_bytes(32)
    salt = path.read_bytes().strip()
    if len(salt) < _MIN_SALT:
        raise click.ClickException(
            f"{path} holds fewer than {_MIN_SALT} bytes, so names could be guessed from pseudonyms. "
            "Make one with: openssl rand -hex 32"
        )
    return salt


def _show_left_out(history: FeedbackHistory, left_out: Counter[str], taxonomy: Taxonomy) -> None:
    """Print how many records are not exported and why, and where people disagree."""
    for reason, count in sorted(history.rejected.items()):
        print_to_stderr(f"{count:,} records were refused: {reason}")
    for reason, count in sorted(left_out.items()):
        print_to_stderr(f"{count:,} products left out: {reason}")
    for product_id, earlier, later in history.disagreements[:_MAX_SHOWN]:
        print_to_stderr(
            f"product {product_id!r}: one person chose {_path(earlier.category_id, taxonomy)}, later another "
            f"{_path(later.category_id, taxonomy)}; the later choice counts"
        )
    if len(history.disagreements) > _MAX_SHOWN:
        print_to_stderr(
            f"and {len(history.disagreements) - _MAX_SHOWN:,} more products on which people disagree"
        )


def show_conflicts(conflicts: list[Conflict], taxonomy: Taxonomy) -> None:
    """Print the texts with contradictory feedback."""
    for conflict in conflicts[:_MAX_SHOWN]:
        chosen = " or ".join(_path(category_id, taxonomy) for category_id in conflict.category_ids)
        where = ", ".join(conflict.product_ids[:5])
        print_to_stderr(f"people disagree on {conflict.text!r}: {chosen} ({where}); training leaves it out")
    if len(conflicts) > _MAX_SHOWN:
        print_to_stderr(f"and {len(conflicts) - _MAX_SHOWN:,} more texts on which people disagree")


def _path(category_id: int | None, taxonomy: Taxonomy) -> str:
    return taxonomy.node(category_id).path if category_id is not None else "what was published"


def _summary(lines: list[FeedbackLine], history: FeedbackHistory, output: str) -> str:
    verdicts = Counter(line.verdict.value for line in lines)
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items()))
    return f"{len(lines):,} lines ({counts or 'none'}) from {history.entries:,} feedback records, in {output}"
