"""`shelfstream metrics`: the manual of the metrics."""

import click

from streams.commands.tables import new_table, print_table
from streams.observability.metrics import METRICS


@click.command()
@click.option("--markdown", is_flag=True, help="A Markdown table.")
def metrics(markdown: bool) -> None:
    """Explain each metric that a worker serves at /metrics."""
    if markdown:
        click.echo(manual())
        return
    table = new_table("metric", "type", "labels", "meaning")
    for each in METRICS:
        table.add_row(each.name, each.kind, ", ".join(each.labels), each.meaning)
    print_table(table)


def manual() -> str:
    """The Markdown table of all metrics."""
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(each.labels)} | {each.meaning} |" for each in METRICS
    ]
    return "\n".join(["| metric | type | labels | meaning |", "| --- | --- | --- | --- |", *rows])
