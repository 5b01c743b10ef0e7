"""What the commands over files share: where events come from and go, and whose category tree it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from streams.settings_sources import load_settings

C = TypeVar("C", bound=Callable[..., Any])

taxonomy_option = click.option(
    "--taxonomy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your own category tree: a file with id, path, and perhaps name:LANG and examples.",
)
"""The option of the commands that work with another tree than Google's."""


def prototypes_folder() -> Path:
    """Where the points of category trees are kept: in the data folder of the settings.

    Raises:
        StopWorker: The settings are wrong.
    """
    return load_settings().settings.data_dir / "prototypes"


def jsonl_options(output_help: str) -> Callable[[C], C]:
    """Give a command the argument `source` and the options `output` and `rejects`.

    Args:
        output_help: what goes to the output, and in which order.
    """
    source = click.argument(
        "source", metavar="IN.jsonl", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
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
        "--rejects", type=click.Path(dir_okay=False, writable=True), help="Keep bad lines in this file."
    )

    def give(command: C) -> C:
        return source(output(rejects(command)))

    return give
