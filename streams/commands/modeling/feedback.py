"""`shelfstream feedback`: people's words on categories as data to learn from."""

import secrets
from collections import Counter
from functools import partial
from pathlib import Path

import click

from models.taxonomy.tree import Taxonomy
from models.training.data.feedback_lines import Conflict, FeedbackLine, encode_line, find_conflicts
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.tables import progress_bar
from streams.feedback.export import FeedbackExport, pseudonym, training_lines
from streams.feedback.history import FeedbackHistory
from streams.options import POSITION, with_settings
from streams.replay.positions import START, Position
from streams.settings import Settings

_LEAST_SALT = 16
_SHOWN = 20


@click.group()
def feedback() -> None:
    """People's words on categories: export them to learn from."""


@feedback.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, writable=True),
    default="-",
    show_default=True,
    help="Where the lines go, one a product, JSON; - is standard output.",
)
@click.option("--from", "begin", type=POSITION, default=START, help="First word: offset, time, -90d, start.")
@click.option("--with-names", is_flag=True, help="Keep people's names; otherwise pseudonyms stand for them.")
@click.option(
    "--salt-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A secret, so that pseudonyms stay the same from one export to the next; else they do not.",
)
@click.option("--without", multiple=True, metavar="NAME", help="Leave out this person's words; repeatable.")
@with_settings
def export(
    settings: Settings,
    output: str,
    begin: Position,
    with_names: bool,
    salt_file: Path | None,
    without: tuple[str, ...],
) -> None:
    """Write each product's last word of a person, with the product's title and where the word comes from.

    Reads category-feedback, product-enriched and product-created up to their ends as of now, read
    committed, and writes nothing to Kafka. What the model decided by itself is never part of it.
    """
    anonymize = str if with_names else partial(pseudonym, salt=_salt(salt_file))
    taxonomy = Taxonomy.of(settings.taxonomy)
    with FeedbackExport(settings, FeedbackHistory(taxonomy, frozenset(without))) as feedback_export:
        ranges = feedback_export.ranges(begin)
        with progress_bar("reading people's words", sum(each.offsets for each in ranges.feedback)) as advance:
            entries = feedback_export.read_feedback(ranges, advance)
        with progress_bar("reading their products", ranges.products) as advance:
            products = feedback_export.read_products(ranges, entries, advance)
    lines, left_out = training_lines(entries, products, taxonomy, anonymize)
    try:
        with click.open_file(output, "wb", atomic=output != "-") as sink:
            for line in lines:
                sink.write(encode_line(line) + b"\n")
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error}") from error
    _tell(feedback_export.history, left_out, taxonomy)
    show_conflicts(find_conflicts(lines, taxonomy), taxonomy)
    print_to_stderr(_summary(lines, feedback_export.history, output))


def _salt(path: Path | None) -> bytes:
    """What keys pseudonyms; without a file a random one that nobody keeps."""
    if path is None:
        return secrets.token_bytes(32)
    salt = path.read_bytes().strip()
    if len(salt) < _LEAST_SALT:
        raise click.ClickException(
            f"{path} holds fewer than {_LEAST_SALT} bytes, so names could be guessed from pseudonyms. "
            "Make one with: openssl rand -hex 32"
        )
    return salt


def _tell(history: FeedbackHistory, left_out: Counter[str], taxonomy: Taxonomy) -> None:
    """What is not among the lines, and why."""
    for reason, count in sorted(history.rejected.items()):
        print_to_stderr(f"{count:,} records were refused: {reason}")
    for reason, count in sorted(left_out.items()):
        print_to_stderr(f"{count:,} words left out: {reason}")
    for product_id, earlier, later in history.disagreements[:_SHOWN]:
        print_to_stderr(
            f"product {product_id!r}: one person chose {_path(earlier.category_id, taxonomy)}, later another "
            f"{_path(later.category_id, taxonomy)}; the later word holds"
        )
    if len(history.disagreements) > _SHOWN:
        print_to_stderr(
            f"and {len(history.disagreements) - _SHOWN:,} more products that one person took from another"
        )


def show_conflicts(conflicts: list[Conflict], taxonomy: Taxonomy) -> None:
    """Print the texts with contradictory feedback."""
    for conflict in conflicts[:_SHOWN]:
        chosen = " or ".join(_path(category_id, taxonomy) for category_id in conflict.category_ids)
        where = ", ".join(conflict.product_ids[:5])
        print_to_stderr(f"people disagree on {conflict.text!r}: {chosen} ({where}); training leaves it out")
    if len(conflicts) > _SHOWN:
        print_to_stderr(f"and {len(conflicts) - _SHOWN:,} more texts on which people disagree")


def _path(category_id: int | None, taxonomy: Taxonomy) -> str:
    return taxonomy.node(category_id).path if category_id is not None else "what was published"


def _summary(lines: list[FeedbackLine], history: FeedbackHistory, output: str) -> str:
    verdicts = Counter(line.verdict.value for line in lines)
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items()))
    return f"{len(lines):,} lines ({counts or 'none'}) from {history.entries:,} words of people, in {output}"
