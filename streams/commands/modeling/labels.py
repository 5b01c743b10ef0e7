"""`shelfstream labels`: which labels of the training data may be wrong."""

from dataclasses import replace
from pathlib import Path

import click

from models.taxonomy.tree import Taxonomy
from models.training.data.corrections import Suggestion, write_suggestions
from schemas.errors import StopWorker
from streams.commands.file_options import taxonomy_option
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.progress import step_bars


@click.group()
def labels() -> None:
    """The labels of the training data: check them, for a person to put them right."""


@labels.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with products/ and mappings/.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where the suggestions go, a tab-separated table, such as suggestions.tsv.",
)
@taxonomy_option
@click.option("--seed", default=None, type=int, help="Of every random choice.")
def check(data: Path, output: Path, taxonomy: Path | None, seed: int | None) -> None:
    """Find titles with contradicting labels, and labels that are likely wrong.

    The table has a column `accept`: write `yes` where the suggested label is right, or after you have put
    another one there, and give the table to `train --corrections`. Needs the extra `train`.
    """
    try:
        tree = Taxonomy.of(taxonomy)
        found = _found(data, tree, seed)
        with output.open("w", encoding="utf-8", newline="") as target:
            write_suggestions(target, found, tree)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error}") from error
    conflicts = sum(each.reason.startswith("conflict") for each in found)
    print_to_stderr(f"{conflicts:,} conflicts and {len(found) - conflicts:,} likely errors, in {output}")


def _found(data: Path, taxonomy: Taxonomy, seed: int | None) -> list[Suggestion]:
    try:
        from models.training.labels.check import check_labels
        from models.training.labels.errors import CONFIG
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"Checking labels needs {error.name}: pip install 'shelfstream[train]', then again."
        ) from error
    config = CONFIG if seed is None else replace(CONFIG, seed=seed)
    with step_bars() as progress:
        return check_labels(data, taxonomy, config, progress)
