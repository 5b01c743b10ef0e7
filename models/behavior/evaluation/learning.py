"""Splits behavior by time, and learns from the earlier part with the code of the agents."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

from models.behavior.event_time import seconds
from models.behavior.offline_affinity import AffinityAggregator
from models.behavior.parameters import BehaviorParameters
from schemas.events import AffinityUpdated, Relation, UserBehavior
from schemas.keys import shopper_id

BATCH = 4_000
"""Events per batch, as many as a busy worker's."""

Progress = Callable[[str, int, int], None]
"""Receives the name of the phase, the number of steps done, and the number of steps."""


@dataclass(frozen=True, slots=True)
class Split:
    """Behavior before a time, to learn from, and after it, to score.

    Attributes:
        learned: Events before `start`, in order of time.
        scored: Events from `start` on, in order of time.
        start: The time in seconds since 1970.
    """

    learned: Sequence[UserBehavior]
    scored: Sequence[UserBehavior]
    start: float


def split_at(events: Iterable[UserBehavior], start: float, end: float = inf) -> Split:
    """Split events by time. Events of one time stay in their order; those from `end` on are left out."""
    ordered = sorted(events, key=lambda event: event.occurred_at)
    learned = [event for event in ordered if seconds(event.occurred_at) < start]
    scored = [event for event in ordered[len(learned) :] if seconds(event.occurred_at) < end]
    return Split(learned, scored, start)


def learn_affinities(
    events: Sequence[UserBehavior], parameters: BehaviorParameters, progress: Progress
) -> AffinityAggregator:
    """Return the rows that the agents `sessions` and `affinity` have after these events."""
    aggregator = AffinityAggregator(parameters, shopper_id)
    for start in range(0, len(events), BATCH):
        batch = events[start : start + BATCH]
        aggregator.add(batch)
        progress("Learning", start + len(batch), len(events))
    return aggregator


def related_products(update: AffinityUpdated | None, relation: Relation) -> list[str]:
    """Return the products of one relation in an event, best first; none if there is no event."""
    if update is None:
        return []
    return [related.product_id for related in update.related if related.relation is relation]
