"""Tables on standard output, as wide as a terminal and uncut for programs; progress on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

_UNCUT = 1000


def new_table(*headers: str) -> Table:
    """An empty table. Its first column names things, so that it is never wrapped or cut."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, header in enumerate(headers):
        table.add_column(header, no_wrap=place == 0, overflow="fold")
    return table


def print_table(table: Table) -> None:
    """Print the table."""
    console = Console()
    (console if console.is_terminal else Console(width=_UNCUT)).print(table)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error while the block runs; nothing where that is no terminal.

    Yields:
        What to call with the number of things done since the last call.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
