"""Learns the next action from events before a time, and scores it on the sessions that began later."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from models.behavior.event_time import seconds
from models.behavior.next_behavior import LEAVE, OUTCOMES, NextBehavior
from models.behavior.session_tilt import SessionTilt
from models.training.behavior.scores import Scores, score
from models.training.behavior.session_tilt import fit
from models.training.behavior.steps import Step, steps_of
from models.training.behavior.transitions import count
from schemas.events import UserBehavior

LAST_TWO = "Markov chain of the two last actions"
OWN_COUNTS = "the same, with the shopper's own counts"
WITH_SESSION = "the same, with the session's features"


def held_out_scores(
    events: Sequence[UserBehavior], shopper_of: Callable[[UserBehavior], str], from_s: float
) -> dict[str, Scores]:
    """Score the Markov chain and the shipped kind of model on later sessions than they learned from.

    Args:
        events: Events in order of time.
        shopper_of: Returns the key of an event's shopper.
        from_s: Events before this time are learned from, sessions that begin later are scored. In seconds
            since 1970.

    Returns:
        The scores of each model by its name, the simplest one first. Empty if there is nothing to learn from
        or nothing to score.
    """
    training, scored = held_out_steps(events, shopper_of, from_s)
    return model_scores(training, scored) if training and scored else {}


def held_out_steps(
    events: Sequence[UserBehavior], shopper_of: Callable[[UserBehavior], str], from_s: float
) -> tuple[list[Step], list[Step]]:
    """Return the steps to learn from and the steps to score; see `held_out_scores`."""
    earlier = [event for event in events if seconds(event.occurred_at) < from_s]
    scored = [step for step in steps_of(events, shopper_of) if step.started_at >= from_s]
    return steps_of(earlier, shopper_of), scored


def model_scores(training: Sequence[Step], scored: Sequence[Step]) -> dict[str, Scores]:
    """Return the scores of each model by its name, the simplest one first."""
    chain, tilted = train(training)
    return {
        LAST_TWO: score(chain, [replace(step, own={}) for step in scored]),
        OWN_COUNTS: score(chain, scored),
        WITH_SESSION: score(tilted, scored),
    }


def train(steps: Sequence[Step]) -> tuple[NextBehavior, NextBehavior]:
    """Return the Markov chain that was counted in steps, and the same with a tilt that was fitted to them."""
    counts = count(steps, "")
    chain = NextBehavior(counts)
    tilt = SessionTilt(fit(chain, steps, ""), OUTCOMES[:LEAVE])
    return chain, NextBehavior(counts, tilt=tilt)
