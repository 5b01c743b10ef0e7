"""Predicts a shopper's next action in a session with a smoothed second-order Markov chain.

The probability of an outcome given the last two actions is estimated from counted sessions of many shoppers.
Each order of the chain is smoothed by the one below it, with Dirichlet smoothing:

    p(outcome) = (count(outcome) + strength * p_below(outcome)) / (count(all outcomes) + strength)

(D. MacKay and L. Bauman Peto, "A hierarchical Dirichlet language model", Natural Language Engineering 1,
1995). The shopper's own counts are smoothed by that estimate in the same way. What else happened in the
session tilts the result: see `models.behavior.session_tilt`.
`models.training.behavior.next_behavior` counts the sessions; `models/pretrained/next_behavior.json` is the
shipped result.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from models.behavior.session_features import session_features
from models.behavior.session_tilt import SessionTilt
from models.shipped import PRETRAINED
from schemas.errors import StopWorker
from schemas.events import Action

if TYPE_CHECKING:
    from models.behavior.shopper_row import OpenSession

ACTIONS: tuple[Action, ...] = (
    Action.VIEW,
    Action.CLICK,
    Action.CART,
    Action.FAVORITE,
    Action.PURCHASE,
    Action.RETURN,
)
"""The actions that are predicted. An action's code is its index here.

Codes are stored in the rows of shoppers and published, so that an action which is added to the contract gets
no code: it is no transition.
"""

LEAVE = len(ACTIONS)
"""The code of leaving: no further action in the session."""

START = LEAVE + 1
"""The code of the state before the first action of a session."""

OUTCOMES: tuple[str, ...] = (*(action.value for action in ACTIONS), "leave")
"""The names of the outcomes, in order of their codes."""

UNIFORM_WEIGHT = 0.01
"""The weight of the uniform distribution in the mixture: the counted shop had no clicks and no favorites."""

Transitions = dict[int, list[int]]
"""The count of each outcome, in order of `OUTCOMES`, by the code of the last action."""

SHIPPED = PRETRAINED / "next_behavior.json"


class TransitionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The transition counts of many shoppers' sessions, and their origin.

    Attributes:
        version: The version of this format.
        description: The data, the date and the command.
        sessions: The number of counted sessions.
        counts: Counts by previous action ("start" before the first), last action and outcome.
    """

    version: int
    description: str
    sessions: int
    counts: dict[str, dict[str, dict[str, int]]]


class NextBehavior:
    """A smoothed Markov chain of the next action.

    Args:
        counts: The transition counts of many shoppers.
        order_strength: The weight of the next lower order of the chain, in observations.
        shopper_strength: The weight of the counts of all shoppers beside the shopper's own, in observations.
        tilt: Changes the probabilities by what happened in the session. None leaves them as they are.

    Raises:
        StopWorker: `counts` contains an unknown action.
    """

    def __init__(
        self,
        counts: TransitionCounts,
        order_strength: float = 20.0,
        shopper_strength: float = 20.0,
        tilt: SessionTilt | None = None,
    ) -> None:
        self._tilt = tilt
        self._order_strength = order_strength
        self._shopper_strength = shopper_strength
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
        self._base = _smoothed(zeroth, uniform, len(OUTCOMES))
        self._first = {last: _smoothed(row, self._base, order_strength) for last, row in first.items()}
        self._second = {
            (previous, last): _smoothed(row, self._first[last], order_strength)
            for (previous, last), row in second.items()
        }

    @classmethod
    def load(cls, path: Path = SHIPPED, tilt: SessionTilt | None = None) -> "NextBehavior":
        """Load counts from a JSON file, for a model with the tilt `tilt`.

        Raises:
            StopWorker: The file is missing, damaged, or of another version.
        """
        try:
            counts = msgspec.json.decode(path.read_bytes(), type=TransitionCounts)
        except (OSError, msgspec.MsgspecError) as error:
            raise StopWorker(
                f"{path} has no transition counts: {error}; restore the file or train it again"
            ) from error
        if counts.version != 1:
            raise StopWorker(f"{path} has version {counts.version}, but this release reads version 1")
        return cls(counts, tilt=tilt)

    def in_session(
        self, session: "OpenSession", own: Mapping[int, Sequence[float]] | None = None
    ) -> dict[str, float]:
        """Return the probability of each outcome after a session's last event.

        Args:
            session: The shopper's current session.
            own: The shopper's own `Transitions`, or None.

        Returns:
            The probability of each of `OUTCOMES`, above zero and summing to 1. Those of the chain if the
            session does not hold what the tilt needs.
        """
        return self.probabilities(session.previous, session.last, own, session_features(session))

    def probabilities(
        self,
        previous: int,
        last: int,
        own: Mapping[int, Sequence[float]] | None = None,
        features: Sequence[float] | None = None,
    ) -> dict[str, float]:
        """Return the probability of each outcome after the actions `previous` and `last`.

        Args:
            previous: The code of the action before the last, or `START`.
            last: The code of the last action.
            own: The shopper's own `Transitions`, or None.
            features: What `session_features` returns for the session, or None for the chain alone.

        Returns:
            The probability of each of `OUTCOMES`, above zero and summing to 1.
        """
        estimate = self._second.get((previous, last)) or self._first.get(last) or self._base
        own_counts = (own or {}).get(last)
        prior = [(1.0 - UNIFORM_WEIGHT) * value + UNIFORM_WEIGHT / len(OUTCOMES) for value in estimate]
        probabilities = prior if own_counts is None else _smoothed(own_counts, prior, self._shopper_strength)
        if self._tilt is not None and features:
            probabilities[:LEAVE] = self._tilt.apply(probabilities[:LEAVE], features)
        total = sum(probabilities)
        return {name: value / total for name, value in zip(OUTCOMES, probabilities, strict=True)}


@cache
def shipped_next_behavior() -> NextBehavior:
    """Return the shipped model, loaded once."""
    return NextBehavior.load(tilt=SessionTilt.load(OUTCOMES[:LEAVE]))


def _smoothed(counts: Sequence[float], below: Sequence[float], strength: float) -> list[float]:
    """Apply the Dirichlet smoothing of the module's formula."""
    total = sum(counts) + strength
    return [(count + strength * prior) / total for count, prior in zip(counts, below, strict=True)]


def _code(name: str) -> int:
    if name == "start":
        return START
    try:
        return OUTCOMES.index(name)
    except ValueError:
        raise StopWorker(
            f"transition counts contain the unknown action {name!r}; known are start, {', '.join(OUTCOMES)}"
        ) from None
