"""Counts the transitions of `models.behavior.next_behavior` in the steps of sessions."""

from collections import Counter
from collections.abc import Sequence

from models.behavior.next_behavior import LEAVE, OUTCOMES, START, TransitionCounts
from models.training.behavior.steps import Step

_STRENGTH = 20.0
"""The weight of the share of leaving after any actions beside that after two given ones, in steps."""


def count(steps: Sequence[Step], description: str) -> TransitionCounts:
    """Count the transitions of steps.

    Leaving is not known near the end of the data, where other outcomes are. It counts as often as its share
    among the steps of which it is known says, smoothed by the share among all of these.

    Args:
        steps: Steps with their outcomes.
        description: The data, the date and the command.
    """
    acted = Counter((step.previous, step.last, step.outcome) for step in steps if step.outcome != LEAVE)
    known = Counter((step.previous, step.last) for step in steps if step.known)
    left = Counter((step.previous, step.last) for step in steps if step.known and step.outcome == LEAVE)
    share = left.total() / max(1, known.total())
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for previous, last in sorted({(step.previous, step.last) for step in steps}):
        followed = {code: acted[previous, last, code] for code in range(LEAVE)}
        leaving = (left[previous, last] + _STRENGTH * share) / (known[previous, last] + _STRENGTH)
        stayed = sum(followed.values())
        followed[LEAVE] = round(stayed * leaving / (1 - leaving)) if stayed else left[previous, last]
        before = "start" if previous == START else OUTCOMES[previous]
        counts.setdefault(before, {})[OUTCOMES[last]] = {
            OUTCOMES[code]: times for code, times in followed.items() if times
        }
    return TransitionCounts(
        version=1, description=description, sessions=len({step.session for step in steps}), counts=counts
    )
