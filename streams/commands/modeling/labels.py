"""`shelfstream labels`: check the labels of the training data."""

from pathlib import Path

import click

from models.taxonomy.tree import Taxonomy
from models.training.data.corrections import Suggestion
from models.training.extras import required_extra
from schemas.errors import StopWorker
from streams.commands.file_options import taxonomy_option, training_data_option
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.progress import step_bars


@click.group()
def labels() -> None:
    """Check the labels of the training data."""


@labels.command()
@training_data_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Tab-separated table to write, such as suggestions.tsv.",
)
@taxonomy_option
@click.option("--seed", default=None, type=int, help="Seed of all random numbers.")
def check(data: Path, output: Path, taxonomy: Path | None, seed: int | None) -> None:
    """Find labels that may be wrong.

    These are contradictory labels of the same title, and labels that are likely wrong.

    The table has a column `accept`. Write `yes` where the suggested label is right, or after you have
    replaced it with the right one, and pass the table to `train --corrections`. Needs the extra `train`.
    """
    try:
        tree = Taxonomy.of(taxonomy)
        with required_extra("Checking labels needs"):
            from models.training.labels.check import write_label_check

            with step_bars() as progress:
                suggestions = write_label_check(data, output, tree, seed, progress)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error}") from error
    show_suggestions(suggestions, output)


def show_suggestions(suggestions: list[Suggestion], path: Path) -> None:
    """Print the number of suggestions by kind."""
    conflicts = sum(each.reason.startswith("conflict") for each in suggestions)
    print_to_stderr(f"{conflicts:,} conflicts and {len(suggestions) - conflicts:,} likely errors, in {path}")
