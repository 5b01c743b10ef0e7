"""Trains the model of `models.behavior.next_behavior`: counts transitions, and fits the session tilt.

Run: `python -m models.training.behavior.next_behavior --data FOLDER`, where FOLDER holds
`behavior/rees46_2019-10-01.csv.gz`. It prints how the model and simpler ones foretell sessions that began
after the events they learned from, then learns from all sessions and writes counts, weights and model card.
Only counts and weights are kept: no product, shopper or row of the data.
"""

import csv
import gzip
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from models.behavior.event_time import seconds
from models.behavior.next_behavior import SHIPPED, NextBehavior, TransitionCounts
from models.behavior.session_tilt import SHIPPED_TILT, FittedTilt
from models.training.behavior.card import figures, render_card
from models.training.behavior.held_out import held_out_scores
from models.training.behavior.session_tilt import fit
from models.training.behavior.steps import LEFT_AFTER_S, steps_of
from models.training.behavior.transitions import count
from schemas.events import Action, UserBehavior
from schemas.keys import shopper_id

TABLE = "behavior/rees46_2019-10-01.csv.gz"
COMMAND = "python -m models.training.behavior.next_behavior"
DESCRIPTION = (
    "rees46, 2019-10-01, the first three hours of an electronics shop: view, cart, purchase. "
    f"Made by {COMMAND}."
)
SHARE = 0.7
"""The share of the sessions, by their start, that is learned from before the others are scored."""


def read_events(path: Path) -> list[UserBehavior]:
    """Read a table of REES46, in its order, which is that of time."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as table:
        return [
            UserBehavior(
                occurred_at=datetime.fromisoformat(row["event_time"][:19]).replace(tzinfo=UTC),
                product_id=row["product_id"],
                action=Action(row["event_type"]),
                user_id=row["user_id"],
                session_id=row["user_session"],
            )
            for row in csv.DictReader(table)
        ]


def split_times(events: Sequence[UserBehavior], share: float = SHARE) -> tuple[float, float]:
    """Return two times before which a share of the sessions began, in seconds since 1970.

    The first is of all sessions, and leaves the most sessions to learn from. Whether a shopper left is known
    of sessions that began long enough before the end only: the second is of these.
    """
    starts: dict[str | None, float] = {}
    for event in events:
        starts.setdefault(event.session_id, seconds(event.occurred_at))
    horizon = seconds(events[-1].occurred_at) - LEFT_AFTER_S
    ordered = sorted(starts.values())
    known = [start for start in ordered if start <= horizon]
    return ordered[int(share * len(ordered))], known[int(share * len(known))]


def learn(events: Sequence[UserBehavior]) -> tuple[TransitionCounts, FittedTilt]:
    """Learn the counts and the tilt from all sessions."""
    steps = steps_of(events, shopper_id)
    counts = count(steps, DESCRIPTION)
    return counts, fit(NextBehavior(counts), steps, DESCRIPTION)


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option(
    "--output",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SHIPPED.parent,
    show_default=True,
    help="Directory of the two files and the card.",
)
def main(data: Path, output: Path) -> None:
    """Evaluate on later sessions, and write what all sessions teach."""
    events = read_events(data / TABLE)
    for_actions, for_leaving = (held_out_scores(events, shopper_id, each) for each in split_times(events))
    click.echo(figures(for_actions, for_leaving))
    counts, tilt = learn(events)
    for name, learned in ((SHIPPED.name, counts), (SHIPPED_TILT.name, tilt)):
        (output / name).write_bytes(msgspec.json.format(msgspec.json.encode(learned), indent=1) + b"\n")
    card = render_card(COMMAND, counts, tilt, for_actions, for_leaving)
    (output / "next_behavior.md").write_text(card, encoding="utf-8")
    click.echo(f"{counts.sessions} sessions counted into {output}")


if __name__ == "__main__":
    main()
