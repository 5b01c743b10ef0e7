"""`shelfstream metrics`: list the metrics that a worker exports."""

import click

from streams.commands.terminal_tables import new_table, print_table
from streams.observability.metrics import METRICS


@click.command()
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
def metrics(markdown: bool) -> None:
    """List the metrics that a worker serves at /metrics, with type, labels and meaning."""
    if markdown:
        click.echo(manual())
        return
    table = new_table("metric", "type", "labels", "meaning")
    for metric in METRICS:
        table.add_row(metric.name, metric.kind, ", ".join(metric.labels), metric.meaning)
    print_table(table)


def manual() -> str:
    """Return the Markdown table of all metrics."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.meaning} |"
        for metric in METRICS
    ]
    return "\n".join(["| metric | type | labels | meaning |", "| --- | --- | --- | --- |", *rows])
