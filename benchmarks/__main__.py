"""`make bench`, or `python -m benchmarks --help`."""

import sys
from dataclasses import replace
from pathlib import Path

import click
import msgspec
import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.bench import FULL, PARTS, SMALL, ProgressCallback, Results, Scale, run
from benchmarks.machine import describe
from benchmarks.peers.contestant import PeerMissing
from benchmarks.report import as_json, markdown, tables, terminal_table

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option("--small", is_flag=True, help="Measure little, in minutes, to see whether everything works.")
@click.option(
    "--only",
    type=click.Choice([*PARTS]),
    help="Measure this part only. The other results stay those of the last run, and the report says so.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    show_default=True,
    help="Directory for bench.md, bench.json and the plots.",
)
def main(small: bool, only: str | None, output: Path) -> None:
    """Measure shelfstream and its peers on a real Kafka; print, write and plot the results."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting")

        def on_progress(line: str) -> None:
            progress.update(task, description=line)
            progress.console.print(line, highlight=False)

        try:
            scale = SMALL if small else FULL
            results = (
                run(scale, on_progress) if only is None else _measure_part(only, output, scale, on_progress)
            )
        except PeerMissing as missing:
            raise click.ClickException(str(missing)) from None
    _write(results, output, only)
    console = Console(width=160 if not sys.stdout.isatty() else None)
    console.print(describe())
    for rows in tables(results):
        console.print(terminal_table(rows))


def _measure_part(part: str, output: Path, scale: Scale, on_progress: ProgressCallback) -> Results:
    """Return the results of the last run with one part measured again."""
    last = msgspec.json.decode((output / "bench.json").read_bytes(), type=Results)
    return replace(last, **PARTS[part](scale, on_progress))


def _write(results: Results, output: Path, remeasured: str | None) -> None:
    from benchmarks.plots import growth

    output.mkdir(parents=True, exist_ok=True)
    runs = (
        "One run." if remeasured is None else f"Two runs: {remeasured} was measured again in a separate run."
    )
    head = f"{describe()}. {runs}\n"
    text = "\n".join([head, *(markdown(rows) for rows in tables(results))])
    (output / "bench.md").write_text(text, encoding="utf-8")
    document = {"machine": describe(), **as_json(results)}
    (output / "bench.json").write_bytes(
        orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )
    for name, what, points in (
        ("partitions", "partitions", results.partitions),
        ("rows", "rows of the table", results.rows),
        ("record-size", "bytes of a record", results.sizes),
    ):
        growth(points, what, output / f"growth-{name}.svg")


if __name__ == "__main__":
    main()
