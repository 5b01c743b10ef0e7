"""The long campaigns: `make chaos`, or `python -m tests.chaos --help`."""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.machine import describe
from benchmarks.peers.all_peers import CONTESTANTS
from benchmarks.peers.contestant import PeerMissing
from tests.chaos.campaign import Campaign, Result
from tests.chaos.passthrough import Passthrough
from tests.chaos.report import markdown, record, table
from tests.chaos.shelfstream import Shelfstream
from tests.chaos.system import System
from tests.support.kafka import StartableKafka, own_kafka

WHOLE = "shelfstream-whole"
_NAMES = (WHOLE, *(short for short, each in CONTESTANTS.items() if each.elastic))
_DEFAULT = f"{WHOLE},shelfstream,faust,quix"


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed strikes alike.")
@click.option("--rounds", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--systems", default=_DEFAULT, show_default=True, help=f"Of {', '.join(_NAMES)}.")
@click.option("--output", type=click.Path(path_type=Path), help="Writes PATH.md and PATH.json.")
def main(seed: int, rounds: int, systems: str, output: Path | None) -> None:
    """Strike systems under load with faults, count what a read_committed reader gets, and print a table."""
    chosen = systems.split(",")
    if unknown := [name for name in chosen if name not in _NAMES]:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(_NAMES)}")
    console = Console(stderr=True)
    results = [_campaign(name, seed, rounds, console) for name in chosen]
    Console(width=200 if not sys.stdout.isatty() else None).print(table(results))
    if output is not None:
        output.with_suffix(".md").write_text(f"{describe()}\n\n{markdown(results)}")
        report = {"machine": describe(), "campaigns": record(results)}
        output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    ours = [result for result in results if result.system.startswith("shelfstream")]
    if not all(result.clean for result in ours):
        raise click.ClickException("shelfstream did not keep its word: see above")


def _campaign(name: str, seed: int, rounds: int, console: Console) -> Result:
    """One system on a fresh broker."""
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
                tell=_telling(progress, lambda struck: progress.update(bar, completed=struck)),
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


def _telling(progress: Progress, advance: Callable[[int], None]) -> Callable[[str], None]:
    """Prints what happens, and moves the bar at each fault."""
    struck = [0]

    def tell(line: str) -> None:
        if line.startswith("  ") and ":" not in line:
            struck[0] += 1
            advance(struck[0])
        progress.console.print(line, highlight=False)

    return tell


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
