"""Tables on standard output: as wide as a terminal is, and never cut when a program reads them."""

from rich.console import Console
from rich.table import Table

_UNCUT = 1000


def listing(*headers: str) -> Table:
    """An empty table. Its first column names things, so that it is never wrapped or cut."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, header in enumerate(headers):
        table.add_column(header, no_wrap=place == 0, overflow="fold")
    return table


def show(table: Table) -> None:
    """Print the table."""
    console = Console()
    (console if console.is_terminal else Console(width=_UNCUT)).print(table)
