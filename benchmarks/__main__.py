"""`make bench`, or `python -m benchmarks --help`."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.bench import FULL, PARTS, SMALL, Results, Scale, Tell, run
from benchmarks.machine import describe
from benchmarks.peers.contestant import PeerMissing
from benchmarks.report import drawn, markdown, record, tables

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option("--small", is_flag=True, help="A run of minutes that only shows whether everything works.")
@click.option(
    "--only",
    type=click.Choice([*PARTS]),
    help="Measure only this part anew; the rest stays from the last run, and the report says so.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    show_default=True,
    help="Where bench.md, bench.json and the plots go.",
)
def main(small: bool, only: str | None, output: Path) -> None:
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
            results = run(scale, tell) if only is None else _renewed(only, output, scale, tell)
        except PeerMissing as missing:
            raise click.ClickException(str(missing)) from None
    _write(results, output, only)
    shown = Console(width=160 if not sys.stdout.isatty() else None)
    shown.print(describe())
    for rows in tables(results):
        shown.print(drawn(rows))


def _renewed(part: str, output: Path, scale: Scale, tell: Tell) -> Results:
    """The last run's results with one part measured anew."""
    last = msgspec.json.decode((output / "bench.json").read_bytes(), type=Results)
    return replace(last, **PARTS[part](scale, tell))


def _write(results: Results, output: Path, renewed: str | None) -> None:
    from benchmarks.plots import growth

    output.mkdir(parents=True, exist_ok=True)
    alone = (
        "One run." if renewed is None else f"Not one run: {renewed} was measured anew, in a run of its own."
    )
    head = f"{describe()}. {alone}\n"
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
