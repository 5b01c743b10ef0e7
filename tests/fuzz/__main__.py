"""`python -m tests.fuzz`: sends the fuzzer's records through a real worker, and checks their outcomes."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.fuzz.account import Tally
from tests.fuzz.on_kafka import MEMORY_LIMIT, MIB, Run, run
from tests.support.broker import KafkaUnavailable
from tests.support.kafka import own_kafka

_SHOWN = 20


def main() -> int:
    """Run the fuzzer. Returns the exit code: 0 if every record has its one outcome, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="number of records (100000)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the fuzzer (7)")
    parser.add_argument(
        "--within", type=float, default=1_800, help="seconds in which the worker must process them (1800)"
    )
    options = parser.parse_args()
    progress_console, console = Console(stderr=True), Console(width=120)
    try:
        broker = own_kafka()
        broker.start()
    except KafkaUnavailable as error:
        progress_console.print(f"[red]{escape(str(error))}")
        return 1
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    try:
        with tempfile.TemporaryDirectory() as folder, Progress(*columns, console=progress_console) as bar:
            steps = {
                each: bar.add_task(each, total=options.records) for each in ("write", "process", "account")
            }
            result = run(
                broker.bootstrap,
                Path(folder),
                options.seed,
                options.records,
                within_s=options.within,
                progress=lambda step, at, total: bar.update(steps[step], completed=at, total=total),
            )
    finally:
        broker.remove()
    console.print(_table(result))
    return _print_faults(result, console)


def _table(result: Run) -> Table:
    table = Table(title="outcomes of the records")
    table.add_column("topic")
    for name in Tally.__dataclass_fields__:
        table.add_column(name, justify="right")
    total = Tally()
    for topic, tally in sorted(result.account.topics.items()):
        table.add_row(topic, *(f"{value:,}" for value in vars(tally).values()))
        for name, value in vars(tally).items():
            setattr(total, name, getattr(total, name) + value)
    table.add_section()
    table.add_row("all", *(f"{value:,}" for value in vars(total).values()))
    return table


def _print_faults(result: Run, console: Console) -> int:
    console.print(
        f"worker memory: {result.memory_before // MIB} MiB before, {result.memory_after // MIB} MiB after, "
        f"{result.memory_peak // MIB} MiB at its peak (limit {MEMORY_LIMIT // MIB} MiB)\n"
        f"restarts: {result.restarts}; log: {result.log_bytes:,} bytes; {result.seconds:.0f} s"
    )
    faults = result.faults()
    for fault in faults[:_SHOWN]:
        console.print(f"[red]{escape(fault)}")
    if len(faults) > _SHOWN:
        console.print(f"[red]… and {len(faults) - _SHOWN:,} more")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
