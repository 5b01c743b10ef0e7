"""`make bench`, or `python -m benchmarks --help`."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.bench import FULL, SMALL, Results, Scale, Tell, measure_growth, run
from benchmarks.machine import describe
from benchmarks.peers.contestant import PeerMissing
from benchmarks.report import drawn, markdown, record, tables

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option("--small", is_flag=True, help="A run of minutes that only shows whether everything works.")
@click.option("--growth", is_flag=True, help="Measure only growth anew; the rest stays from the last run.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    show_default=True,
    help="Where bench.md, bench.json and the plots go.",
)
def main(small: bool, growth: bool, output: Path) -> None:
    """Measure shelfstream beside its peers, on a real Kafka, and print, write and draw what came of it."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting")

        def tell(line: str) -> None:
            progress.update(task, description=line)
            progress.console.print(line, highlight=False)

        try:
            scale = SMALL if small else FULL
            results = _grown(output, scale, tell) if growth else run(scale, tell)
        except PeerMissing as missing:
            raise click.ClickException(str(missing)) from None
    _write(results, output, growth)
    shown = Console(width=160 if not sys.stdout.isatty() else None)
    shown.print(describe())
    for rows in tables(results):
        shown.print(drawn(rows))


def _grown(output: Path, scale: Scale, tell: Tell) -> Results:
    """The last run's results with growth measured anew."""
    last = msgspec.json.decode((output / "bench.json").read_bytes(), type=Results)
    partitions, rows, sizes, recoveries = measure_growth(scale, tell)
    return replace(last, partitions=partitions, rows=rows, sizes=sizes, recovery_s=recoveries)


def _write(results: Results, output: Path, regrown: bool) -> None:
    from benchmarks.plots import growth

    output.mkdir(parents=True, exist_ok=True)
    head = f"{describe()}. " + ("Growth in a run of its own.\n" if regrown else "One run.\n")
    text = "\n".join([head, *(markdown(rows) for rows in tables(results))])
    (output / "bench.md").write_text(text, encoding="utf-8")
    whole = {"machine": describe(), **record(results)}
    (output / "bench.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    for name, what, points in (
        ("partitions", "partitions", results.partitions),
        ("rows", "rows of the table", results.rows),
        ("record-size", "bytes of a record", results.sizes),
    ):
        growth(points, what, output / f"growth-{name}.svg")


if __name__ == "__main__":
    main()
