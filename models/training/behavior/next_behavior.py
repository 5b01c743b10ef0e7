"""Count what shoppers do next, from an events table of a real shop, for `models.behavior.next_behavior`.

Run: `python -m models.training.behavior.next_behavior --data FOLDER`, where FOLDER holds
`behavior/rees46_2019-10-01.csv.gz`. It prints the held-out accuracy of the model against simpler ones, then
writes the counts of all sessions. Only counts of actions are kept: no product, shopper or row of the data.
"""

import csv
import gzip
from collections import Counter, defaultdict
from datetime import datetime
from math import log
from pathlib import Path

import click
import msgspec

from models.behavior.next_behavior import (
    ACTIONS,
    LEAVE,
    OUTCOMES,
    SHIPPED,
    START,
    NextBehavior,
    TransitionCounts,
)
from schemas.events import Action

TABLE = "behavior/rees46_2019-10-01.csv.gz"
GAP_S = 1800.0
"""A session that was still active so shortly before the table's end may go on: its leaving is not counted."""

Step = tuple[int, int, int]
"""Codes of the previous action, the last action, and what followed."""


def read_sessions(path: Path) -> list[list[Step]]:
    """The steps of each session, sessions ordered by their first event."""
    actions: dict[str, list[Action]] = defaultdict(list)
    ended: dict[str, float] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            actions[row["user_session"]].append(Action(row["event_type"]))
            ended[row["user_session"]] = datetime.fromisoformat(row["event_time"][:19]).timestamp()
    horizon = max(ended.values()) - GAP_S
    return [_steps(chain, left=ended[name] <= horizon) for name, chain in actions.items()]


def _steps(chain: list[Action], *, left: bool) -> list[Step]:
    codes = [START, *map(ACTIONS.index, chain), *([LEAVE] if left else [])]
    return list(zip(codes, codes[1:], codes[2:], strict=False))


def count(sessions: list[list[Step]], description: str) -> TransitionCounts:
    """Count the steps of `sessions`."""
    counted = Counter(step for session in sessions for step in session)
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for (previous, last, outcome), times in sorted(counted.items()):
        before = "start" if previous == START else OUTCOMES[previous]
        counts.setdefault(before, {}).setdefault(OUTCOMES[last], {})[OUTCOMES[outcome]] = times
    return TransitionCounts(version=1, description=description, sessions=len(sessions), counts=counts)


def surprise(model: NextBehavior, sessions: list[list[Step]]) -> float:
    """The mean negative log-likelihood of the steps under `model`, in nats; less is better."""
    losses = [
        -log(model.probabilities(previous, last)[OUTCOMES[outcome]])
        for session in sessions
        for previous, last, outcome in session
    ]
    return sum(losses) / len(losses)


def blinded(session: list[Step], order: int) -> list[Step]:
    """The steps of `session` as a model sees them that knows only the `order` last actions (0, 1 or 2)."""
    view = ACTIONS.index(Action.VIEW)
    return [
        (previous if order > 1 else START, last if order > 0 else view, outcome)
        for previous, last, outcome in session
    ]


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=SHIPPED, show_default=True)
def main(data: Path, output: Path) -> None:
    """Count, measure on every fifth session, and write the counts of all."""
    sessions = read_sessions(data / TABLE)
    learned = [session for number, session in enumerate(sessions) if number % 5]
    held_out = sessions[::5]
    for order in (0, 1, 2):
        model = NextBehavior(count([blinded(session, order) for session in learned], ""))
        loss = surprise(model, [blinded(session, order) for session in held_out])
        click.echo(f"knowing the {order} last actions: {loss:.4f} nats a step")
    description = (
        "rees46, 2019-10-01, the first three hours of an electronics shop: view, cart, purchase. "
        "Made by python -m models.training.behavior.next_behavior."
    )
    output.write_bytes(msgspec.json.format(msgspec.json.encode(count(sessions, description)), indent=1))
    click.echo(f"{len(sessions)} sessions counted into {output}")


if __name__ == "__main__":
    main()
