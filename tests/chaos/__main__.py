"""Long campaigns and rolling changes: `make chaos`, or `python -m tests.chaos --help`."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.machine import describe
from benchmarks.peers.all_peers import CONTESTANTS
from benchmarks.peers.contestant import PeerMissing
from tests.chaos.brokers import NAMES, run
from tests.chaos.campaign import Campaign, Result
from tests.chaos.fault_result import FaultResult, cells, read
from tests.chaos.fault_result import markdown as fault_markdown
from tests.chaos.fault_result import record as fault_record
from tests.chaos.passthrough import Passthrough
from tests.chaos.report import markdown, record, table
from tests.chaos.rolling import RollingChange, rolling_markdown, rolling_record
from tests.chaos.shelfstream import Shelfstream
from tests.chaos.system import System
from tests.support.broker import StartableKafka
from tests.support.kafka import own_kafka

WHOLE = "shelfstream-whole"
_NAMES = (WHOLE, *(short for short, each in CONTESTANTS.items() if each.elastic))
_DEFAULT = f"{WHOLE},shelfstream,faust,quix"


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of faults and inputs.")
@click.option("--rounds", type=click.IntRange(min=1), default=4, show_default=True)
@click.option(
    "--systems", default=_DEFAULT, show_default=True, help=f"Comma-separated, of {', '.join(_NAMES)}."
)
@click.option(
    "--rolling",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Instead of faults: workers of this `shelfstream` program of another version take turns with ours.",
)
@click.option(
    "--brokers",
    type=click.Choice(["1", "3"]),
    default="1",
    show_default=True,
    help="With 3: elections, outages, and faults of logs, offsets, state and models, on a cluster of three.",
)
@click.option("--only", default="", help="With --brokers 3: comma-separated names of faults, instead of all.")
@click.option("--output", type=click.Path(path_type=Path), help="Write PATH.md and PATH.json.")
def main(
    seed: int,
    rounds: int,
    systems: str,
    rolling: Path | None,
    brokers: str,
    only: str,
    output: Path | None,
) -> None:
    """Inject faults into systems under load, count what a read_committed reader gets, and print a table."""
    if rolling is not None:
        _rolling_change(rolling.absolute(), seed, rounds, output)
        return
    if brokers == "3":
        _three_brokers(seed, only, output)
        return
    chosen = systems.split(",")
    if unknown := [name for name in chosen if name not in _NAMES]:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(_NAMES)}")
    console = Console(stderr=True)
    results = [_campaign(name, seed, rounds, console) for name in chosen]
    Console(width=200 if not sys.stdout.isatty() else None).print(table(results))
    if output is not None:
        output.with_suffix(".md").write_text(f"{describe()}\n\n{markdown(results)}")
        report = {"machine": describe(), "campaigns": record(results)}
        output.with_suffix(".json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    ours = [result for result in results if result.system.startswith("shelfstream")]
    if not all(result.clean for result in ours):
        raise click.ClickException("shelfstream lost, repeated or changed something: see above")


def _three_brokers(seed: int, only: str, output: Path | None) -> None:
    """Inject faults of a cluster, and write what became of each; rows of other faults stay as they are."""
    names = only.split(",") if only else list(NAMES)
    if unknown := [name for name in names if name not in NAMES]:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    console = Console()

    def report(result: FaultResult) -> None:
        console.print("  ".join(cells(result)), *result.audit.examples, sep="\n    ", highlight=False)
        if output is not None:
            _write_faults(output, seed, result)

    if not all(result.clean for result in run(seed, report, names)):
        raise click.ClickException("a fault lost, repeated or changed something: see above")


def _write_faults(output: Path, seed: int, result: FaultResult) -> None:
    data = output.with_suffix(".json")
    known = read(orjson.loads(data.read_bytes())["faults"]) if data.exists() else []
    results = [*(each for each in known if each.name != result.name), result]
    results.sort(key=lambda each: NAMES.index(each.name))
    output.with_suffix(".md").write_text(f"{describe()}\n\n{fault_markdown(results)}")
    written = {"machine": describe(), "seed": seed, "faults": fault_record(results)}
    data.write_bytes(orjson.dumps(written, option=orjson.OPT_INDENT_2) + b"\n")


def _rolling_change(other: Path, seed: int, rounds: int, output: Path | None) -> None:
    """Let workers of another version and of this one take turns, and compare."""
    console = Console()
    broker = own_kafka()
    broker.start()
    try:
        with tempfile.TemporaryDirectory(prefix="shelfstream-rolling-") as folder:
            system = Shelfstream(broker, Path(folder), seed)
            try:
                result = RollingChange(
                    system, broker.bootstrap, other, seed=seed, rounds=rounds, log=console.print
                ).run()
            finally:
                system.close()
    finally:
        broker.remove()
    console.print(rolling_markdown(result), *result.audit.examples, sep="\n")
    if output is not None:
        output.with_suffix(".md").write_text(f"{describe()}\n\n{rolling_markdown(result)}")
        record = {"machine": describe(), "rolling": rolling_record(result)}
        output.with_suffix(".json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    if not result.clean:
        raise click.ClickException("the two versions cannot take turns: see above")


def _campaign(name: str, seed: int, rounds: int, console: Console) -> Result:
    """Run a campaign on one system with a broker of its own."""
    broker = own_kafka()
    broker.start()
    with tempfile.TemporaryDirectory(prefix="shelfstream-chaos-") as folder, _progress(console) as progress:
        try:
            system = _system(name, broker, Path(folder), seed)
            bar = progress.add_task(system.name, total=None)
            campaign = Campaign(
                system,
                broker.bootstrap,
                seed=seed,
                rounds=rounds,
                log=_logger(progress, lambda injected: progress.update(bar, completed=injected)),
            )
            progress.update(bar, total=sum(campaign.result.faults.values()))
            try:
                return campaign.run()
            finally:
                system.close()
        except PeerMissing as missing:
            raise click.ClickException(str(missing)) from None
        finally:
            broker.remove()


def _system(name: str, broker: StartableKafka, folder: Path, seed: int) -> System:
    if name == WHOLE:
        return Shelfstream(broker, folder, seed)
    return Passthrough(broker, folder, name, CONTESTANTS[name], seed)


def _logger(progress: Progress, advance: Callable[[int], None]) -> Callable[[str], None]:
    """Return a function that prints a line, and advances the bar at each fault."""
    injected = [0]

    def log(line: str) -> None:
        if line.startswith("  ") and ":" not in line:
            injected[0] += 1
            advance(injected[0])
        progress.console.print(line, highlight=False)

    return log


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} faults"),
        TimeElapsedColumn(),
        console=console,
    )


if __name__ == "__main__":
    main()
