"""Measures what programs do to related products, and what they cost.

Run: `python -m benchmarks.bots`, with the purchases of the demo's shop, or with `--behavior FILE`, a file of
user-behavior events. The events go through the models of the agents `sessions` and `affinity`, once alone and
once with each program among them: 10,000 events of products of the shop at random, with the action that is
the commonest of the file. A list counts as changed if its related products by behavior or their order did.
"pushed out" is the share of all published related products that are on no list of their product any more.
CPU per event is the processor's time of both models; that of a program is what its events add.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from time import process_time

import click
from rich.console import Console
from rich.table import Table

from models.behavior.offline_affinity import AffinityAggregator
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import RELATION_OF
from schemas.errors import ShelfstreamError
from schemas.events import Relation, UserBehavior
from schemas.keys import shopper_id
from streams.commands.behavior_files import read_behavior
from streams.demo.sample_shop import iter_baskets

Lists = dict[tuple[str, Relation], list[str]]
"""The published related products, by product and relation."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that acts like a shopper.

    Attributes:
        name: What it does.
        session_events: The number of events of its sessions; None has no end.
        is_user: Whether its events have a user id.
        falls: Whether its times fall.
        is_many: Whether each of its sessions is a shopper of its own.
    """

    name: str
    session_events: int | None = None
    is_user: bool = True
    falls: bool = False
    is_many: bool = False


PROGRAMS = (
    Program("one session of a user"),
    Program("one session of a guest", is_user=False),
    Program("one session of a user, times fall", falls=True),
    Program("sessions of 50 of a user", 50),
    Program("sessions of 50 of a user, times fall", 50, falls=True),
    Program("sessions of 50, each another guest", 50, is_user=False, is_many=True),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a program did.

    Attributes:
        changed: The share of honest lists that changed.
        pushed_out: The share of honest related products that are no longer published.
        cpu_us: CPU time per event of the program, in microseconds.
        against_honest: The same, divided by that of an honest event.
    """

    changed: float
    pushed_out: float
    cpu_us: float
    against_honest: float


def program_events(
    program: Program, honest: Sequence[UserBehavior], count: int, seed: int = 7
) -> Iterator[UserBehavior]:
    """Yield the events of a program in order of arrival, spread over the time of the honest events."""
    rng = Random(seed)
    products = sorted({event.product_id for event in honest if event.product_id is not None})
    actions = Counter(event.action for event in honest if event.action in RELATION_OF)
    action = actions.most_common(1)[0][0]
    start, end = honest[0].occurred_at, honest[-1].occurred_at
    step = (end - start) / count
    for number in range(count):
        session = number // (program.session_events or count)
        shopper = f"program-{session}" if program.is_many else "program"
        yield UserBehavior(
            occurred_at=end - number * step if program.falls else start + number * step,
            product_id=rng.choice(products),
            action=action,
            user_id=shopper if program.is_user else None,
            anonymous_id=None if program.is_user else shopper,
            session_id=f"program-{session}",
            shop_id=honest[0].shop_id,
        )


def among(honest: Sequence[UserBehavior], program: Sequence[UserBehavior]) -> list[UserBehavior]:
    """Return both in order of arrival: those of the program evenly among the honest ones."""
    places = [(number / len(honest), 0, event) for number, event in enumerate(honest)]
    places += [(number / len(program), 1, event) for number, event in enumerate(program)]
    return [event for _, _, event in sorted(places, key=lambda each: each[:2])]


def learned(events: Sequence[UserBehavior], batch: int, runs: int = 1) -> tuple[Lists, float]:
    """Return the published lists after these events, and the least processor time of some runs in seconds."""
    seconds = []
    for _ in range(runs):
        aggregator = AffinityAggregator(BehaviorParameters(), shopper_id)
        started = process_time()
        for start in range(0, len(events), batch):
            aggregator.add(events[start : start + batch])
        seconds.append(process_time() - started)
    lists: Lists = {}
    for update in aggregator.updates():
        for related in update.related:
            lists.setdefault((update.product_id, related.relation), []).append(related.product_id)
    return lists, min(seconds)


def measure(
    honest: Sequence[UserBehavior],
    program: Sequence[UserBehavior],
    batch: int,
    alone: tuple[Lists, float],
    runs: int = 1,
) -> Result:
    """Compare what is published with and without a program."""
    lists, seconds = alone
    with_program, more_seconds = learned(among(honest, program), batch, runs)
    changed = sum(with_program.get(key) != related for key, related in lists.items())
    kept = sum(len(set(related).intersection(with_program.get(key, ()))) for key, related in lists.items())
    published = sum(map(len, lists.values()))
    per_event = (more_seconds - seconds) / len(program)
    return Result(
        changed / len(lists), 1.0 - kept / published, per_event * 1e6, per_event / (seconds / len(honest))
    )


def table_of(results: dict[str, Result], honest: int, lists: int, honest_us: float) -> Table:
    """Return the table of all programs."""
    table = Table(
        title=f"{honest:,} honest events, {lists:,} lists, {honest_us:.0f} µs per honest event",
        title_justify="left",
    )
    table.add_column("program")
    for name in ("lists changed", "pushed out", "CPU per event", "÷ an honest one"):
        table.add_column(name, justify="right")
    for name, result in results.items():
        table.add_row(
            name,
            f"{result.changed:.1%}",
            f"{result.pushed_out:.2%}",
            f"{result.cpu_us:.0f} µs",
            f"{result.against_honest:.1f}",
        )
    return table


def run(
    honest: Sequence[UserBehavior], count: int, batch: int, runs: int, progress: Callable[[str], None]
) -> Table:
    """Measure all programs.

    Args:
        honest: Events in order of time.
        count: The number of events of each program.
        batch: The number of events of a batch.
        runs: How often each is measured; the least processor time counts.
        progress: Receives the name of each program.
    """
    learned(honest[: 10 * batch], batch)  # The first batches of a process are slower.
    alone = learned(honest, batch, runs)
    results = {}
    for program in PROGRAMS:
        progress(program.name)
        events = list(program_events(program, honest, count))
        results[program.name] = measure(honest, events, batch, alone, runs)
    return table_of(results, len(honest), len(alone[0]), alone[1] / len(honest) * 1e6)


@click.command()
@click.option("--behavior", help="File of user-behavior events; by default the purchases of the demo's shop.")
@click.option("--events", default=10_000, show_default=True, help="Events of each program.")
@click.option("--batch", default=400, show_default=True, help="Events of a batch.")
@click.option("--runs", default=2, show_default=True, help="Measurements; the least processor time counts.")
def main(behavior: str | None, events: int, batch: int, runs: int) -> None:
    """Print the table."""
    try:
        honest = list(iter_baskets()) if behavior is None else read_behavior(behavior)
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error
    honest.sort(key=lambda event: event.occurred_at)
    console = Console(width=110)
    console.print(run(honest, events, batch, runs, lambda name: click.echo(name, err=True)))


if __name__ == "__main__":
    main()
