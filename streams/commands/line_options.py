"""What the commands over files share: where events come from, where results and rejects go."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


def line_options(output_help: str) -> Callable[[C], C]:
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
