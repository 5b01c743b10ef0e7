"""What a shopper will do next in a session: a smoothed Markov chain over actions.

The chance of an action given the last two is estimated from counted sessions of many shoppers, each order
smoothed by the one below it (Dirichlet smoothing: MacKay and Peto, "A hierarchical Dirichlet language
model", 1995), and at the top by the shopper's own counts. The counts of many shoppers are learned by
`models.training.behavior.next_behavior` and shipped as `models/pretrained/next_behavior.json`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from models.shipped import PRETRAINED
from schemas.errors import StopWorker
from schemas.events import Action

ACTIONS: tuple[Action, ...] = tuple(Action)
"""An action's code is its place here."""

LEAVE = len(ACTIONS)
"""The code of leaving: no further action in the session."""

START = LEAVE + 1
"""The code that stands before the first action of a session."""

OUTCOMES: tuple[str, ...] = (*(action.value for action in ACTIONS), "leave")

ESCAPE = 0.01
"""The share of probability that goes to all outcomes alike: the counted shop had no clicks or favourites."""

Transitions = dict[int, list[int]]
"""For the code of a last action, how often each outcome followed; a list is as long as `OUTCOMES`."""

SHIPPED = PRETRAINED / "next_behavior.json"


class TransitionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of many shoppers' sessions, by names, and where they come from.

    Attributes:
        version: Of this format.
        description: Which data, when, by which command.
        sessions: How many sessions were counted.
        counts: Previous action ("start" at a session's beginning), last action, outcome, how often.
    """

    version: int
    description: str
    sessions: int
    counts: dict[str, dict[str, dict[str, int]]]


class NextBehavior:
    """Probabilities of the next action.

    Args:
        counts: What many shoppers did.
        strength: How many observations the next lower order of the chain counts for.
        trust: How many own observations weigh as much as what all shoppers together did.

    Raises:
        StopWorker: `counts` name an unknown action.
    """

    def __init__(self, counts: TransitionCounts, strength: float = 20.0, trust: float = 20.0) -> None:
        self._strength = strength
        self._trust = trust
        second: dict[tuple[int, int], list[float]] = {}
        first: dict[int, list[float]] = {}
        zeroth = [0.0] * len(OUTCOMES)
        for previous, by_last in counts.counts.items():
            for last, outcomes in by_last.items():
                key = (_code(previous), _code(last))
                for name, count in outcomes.items():
                    outcome = _code(name)
                    second.setdefault(key, [0.0] * len(OUTCOMES))[outcome] += count
                    first.setdefault(key[1], [0.0] * len(OUTCOMES))[outcome] += count
                    zeroth[outcome] += count
        uniform = [1.0 / len(OUTCOMES)] * len(OUTCOMES)
        self._base = _mixed(zeroth, uniform, len(OUTCOMES))
        self._first = {last: _mixed(row, self._base, strength) for last, row in first.items()}
        self._second = {
            (previous, last): _mixed(row, self._first[last], strength)
            for (previous, last), row in second.items()
        }

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "NextBehavior":
        """Read counts from a JSON file.

        Raises:
            StopWorker: The file is missing, damaged, or of another version.
        """
        try:
            counts = msgspec.json.decode(path.read_bytes(), type=TransitionCounts)
        except (OSError, msgspec.MsgspecError) as error:
            raise StopWorker(f"{path} holds no transition counts: {error}; train or install it") from error
        if counts.version != 1:
            raise StopWorker(f"{path} is of version {counts.version}, but this program reads version 1")
        return cls(counts)

    def probabilities(
        self, previous: int, last: int, own: Mapping[int, Sequence[float]] | None = None
    ) -> dict[str, float]:
        """The probability of each outcome after the actions `previous` and `last`.

        Args:
            previous: Code of the action before the last, or `START`.
            last: Code of the last action.
            own: The shopper's own `Transitions`.

        Returns:
            Outcome name to probability: all `OUTCOMES`, each above zero, summing to 1.
        """
        shared = self._second.get((previous, last)) or self._first.get(last) or self._base
        counted = (own or {}).get(last)
        open_minded = [(1.0 - ESCAPE) * value + ESCAPE / len(OUTCOMES) for value in shared]
        mixed = open_minded if counted is None else _mixed(counted, open_minded, self._trust)
        total = sum(mixed)
        return {name: value / total for name, value in zip(OUTCOMES, mixed, strict=True)}


@cache
def shipped_next_behavior() -> NextBehavior:
    """The model that the project ships, read once."""
    return NextBehavior.load()


def _mixed(counts: Sequence[float], below: Sequence[float], strength: float) -> list[float]:
    total = sum(counts) + strength
    return [(count + strength * prior) / total for count, prior in zip(counts, below, strict=True)]


def _code(name: str) -> int:
    if name == "start":
        return START
    try:
        return OUTCOMES.index(name)
    except ValueError:
        raise StopWorker(f"transition counts name {name!r}; known are start, {', '.join(OUTCOMES)}") from None
