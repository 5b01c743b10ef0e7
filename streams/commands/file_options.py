"""Options that the commands on files share: input, output, rejects and category tree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from models.taxonomy.tree import SHOPIFY
from streams.settings_sources import load_settings

C = TypeVar("C", bound=Callable[..., Any])


class TaxonomyType(click.Path):
    """A file with a category tree, or the name of a shipped one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Accept the name of a shipped tree, though it is no file."""
        return SHOPIFY if str(value) == str(SHOPIFY) else super().convert(value, param, ctx)


taxonomy_option = click.option(
    "--taxonomy",
    type=TaxonomyType(exists=True, dir_okay=False, path_type=Path),
    help="`shopify` for Shopify's product taxonomy, or the file of your own category tree, with columns id "
    "and path, optionally name:LANG, examples, code and google_id.",
)
"""Option of the commands that can use another category tree than Google's."""

training_data_option = click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with products/ and mappings/.",
)
"""Option of the commands that need the training data."""


def prototypes_folder() -> Path:
    """Return the directory of cached prototypes, which is in the data directory of the settings.

    Raises:
        StopWorker: The settings are wrong.
    """
    return load_settings().settings.data_dir / "prototypes"


def jsonl_options(output_help: str, required: bool = True) -> Callable[[C], C]:
    """Return a decorator that adds the argument `source` and the options `output` and `rejects`.

    Args:
        output_help: Help text of `--output`.
        required: Whether the input must be named.
    """
    source = click.argument(
        "source",
        metavar="IN.jsonl" if required else "[IN.jsonl]",
        required=required,
        type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    )
    output = click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, allow_dash=True, writable=True),
        default="-",
        show_default=True,
        help=output_help,
    )
    rejects = click.option(
        "--rejects",
        type=click.Path(dir_okay=False, writable=True),
        help="Write invalid lines to this file, with line number and reason.",
    )

    def decorate(command: C) -> C:
        return source(output(rejects(command)))

    return decorate
