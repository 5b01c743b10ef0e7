"""Counts transitions between shoppers' actions, as the model of `models.behavior.next_behavior`.

Run: `python -m models.training.behavior.next_behavior --data FOLDER`, where FOLDER holds
`behavior/rees46_2019-10-01.csv.gz`. It prints the log loss of the model and of simpler ones on held-out
sessions, then writes the counts of all sessions. Only counts of actions are kept: no product, shopper or row
of the data.
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
"""Seconds. A session that was active this shortly before the table's end may go on: no leaving is counted."""

Transition = tuple[int, int, int]
"""Codes of the previous action, the last action, and the outcome that followed."""


def read_sessions(path: Path) -> list[list[Transition]]:
    """Read the transitions of each session, sessions ordered by their first event."""
    actions: dict[str, list[Action]] = defaultdict(list)
    ended: dict[str, float] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            actions[row["user_session"]].append(Action(row["event_type"]))
            ended[row["user_session"]] = datetime.fromisoformat(row["event_time"][:19]).timestamp()
    horizon = max(ended.values()) - GAP_S
    return [_transitions(chain, left=ended[name] <= horizon) for name, chain in actions.items()]


def _transitions(chain: list[Action], *, left: bool) -> list[Transition]:
    codes = [START, *map(ACTIONS.index, chain), *([LEAVE] if left else [])]
    return list(zip(codes, codes[1:], codes[2:], strict=False))


def count(sessions: list[list[Transition]], description: str) -> TransitionCounts:
    """Count the transitions of sessions."""
    counted = Counter(transition for session in sessions for transition in session)
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for (previous, last, outcome), times in sorted(counted.items()):
        before = "start" if previous == START else OUTCOMES[previous]
        counts.setdefault(before, {}).setdefault(OUTCOMES[last], {})[OUTCOMES[outcome]] = times
    return TransitionCounts(version=1, description=description, sessions=len(sessions), counts=counts)


def log_loss(model: NextBehavior, sessions: list[list[Transition]]) -> float:
    """Mean negative log-likelihood of the transitions under a model, in nats; lower is better."""
    losses = [
        -log(model.probabilities(previous, last)[OUTCOMES[outcome]])
        for session in sessions
        for previous, last, outcome in session
    ]
    return sum(losses) / len(losses)


def truncated(session: list[Transition], order: int) -> list[Transition]:
    """Replace all but the last `order` actions (0, 1 or 2) by constants, for models of lower order."""
    view = ACTIONS.index(Action.VIEW)
    return [
        (previous if order > 1 else START, last if order > 0 else view, outcome)
        for previous, last, outcome in session
    ]


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=SHIPPED, show_default=True)
def main(data: Path, output: Path) -> None:
    """Evaluate on every fifth session, and write the counts of all sessions."""
    sessions = read_sessions(data / TABLE)
    training = [session for number, session in enumerate(sessions) if number % 5]
    held_out = sessions[::5]
    for order in (0, 1, 2):
        model = NextBehavior(count([truncated(session, order) for session in training], ""))
        loss = log_loss(model, [truncated(session, order) for session in held_out])
        click.echo(f"knowing the {order} last actions: {loss:.4f} nats a step")
    description = (
        "rees46, 2019-10-01, the first three hours of an electronics shop: view, cart, purchase. "
        "Made by python -m models.training.behavior.next_behavior."
    )
    output.write_bytes(msgspec.json.format(msgspec.json.encode(count(sessions, description)), indent=1))
    click.echo(f"{len(sessions)} sessions counted into {output}")


if __name__ == "__main__":
    main()
