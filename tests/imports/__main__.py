"""`python -m tests.imports FORMAT:FILE…`: real files through import, Kafka and a worker to valid outputs."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.imports.trial import Source, Trial, demo_shop, run
from tests.support.broker import KafkaUnavailable
from tests.support.deployment import Deployment
from tests.support.kafka import own_kafka

_SHOWN = 20


def main() -> int:
    """Run the imports. Returns the exit code: 0 if every message is valid and none is missing, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.imports", description=__doc__)
    parser.add_argument(
        "sources", nargs="*", type=Source.of, metavar="FORMAT:FILE", help="or custom@MAPPING:FILE"
    )
    parser.add_argument("--demo", action="store_true", help="also the whole shop of `shelfstream demo`")
    options = parser.parse_args()
    sources = [*(demo_shop() if options.demo else ()), *options.sources]
    if not sources:
        parser.error("name files, or --demo")
    progress_console, console = Console(stderr=True), Console(width=120)
    try:
        broker = own_kafka()
        broker.start()
    except KafkaUnavailable as error:
        progress_console.print(f"[red]{escape(str(error))}")
        return 1
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            progress_console.status("starting") as status,
            Deployment(broker.bootstrap, Path(folder)) as deployment,
        ):
            trial = run(deployment, sources, status.update)
    finally:
        broker.remove()
    for table in _tables(trial):
        console.print(table)
    for fault in trial.faults[:_SHOWN]:
        console.print(f"[red]{escape(fault)}")
    return 1 if trial.faults else 0


def _tables(trial: Trial) -> list[Table]:
    imports = Table("import", "what it says")
    for source, report in trial.reports.items():
        imports.add_row(escape(source), escape(report))
    counts = Table("in", "records", "out", "valid", title="counts")
    outs = list(trial.outputs.items())
    ins = [*trial.written.items(), ("products that are listed", trial.products)]
    for number in range(max(len(ins), len(outs))):
        row = [
            f"{cell:,}" if isinstance(cell, int) else cell
            for pair in (ins, outs)
            for cell in _at(pair, number)
        ]
        counts.add_row(*row)
    decisions = Table("category decided by", "products")
    for outcome, count in sorted(trial.decisions.items()):
        decisions.add_row(outcome, f"{count:,}")
    dead = Table("dead letter", "records")
    for reason, count in trial.dead.most_common():
        dead.add_row(reason, f"{count:,}")
    return [imports, counts, decisions, dead]


def _at(pairs: list[tuple[str, int]], number: int) -> tuple[str, int | str]:
    return pairs[number] if number < len(pairs) else ("", "")


if __name__ == "__main__":
    sys.exit(main())
