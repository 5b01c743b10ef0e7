"""The steps of shoppers' sessions, as a model of the next action sees them.

Events are played through the rows of `models.behavior.shopper_row`, so that a step holds exactly what a
worker knows after that event: the last actions, the shopper's own counts, and the session's features.

**What is not known at the end.** A session that was active shortly before the last event of the data may go
on. Its last step has no outcome and is left out. So "leave" is missing among the late steps, while other
outcomes are not: only steps of which it is known whether anything followed (`known`) can tell how often
shoppers leave. All steps tell which action follows if one does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from models.behavior.deltas import DeltaBuilder
from models.behavior.event_time import seconds
from models.behavior.next_behavior import ACTIONS, LEAVE, Transitions
from models.behavior.parameters import BehaviorParameters
from models.behavior.session_features import session_features
from models.behavior.sessions import ShopperRow, apply_events
from schemas.events import UserBehavior

LEFT_AFTER_S = 1800.0
"""Seconds. A shopper who did nothing for this long has left."""

_PARAMETERS = BehaviorParameters(session_gap_s=LEFT_AFTER_S)


@dataclass(frozen=True, slots=True)
class Step:
    """What was known after an event, and what came next in the session.

    Attributes:
        session: The number of the session, in order of first events.
        started_at: The time of the session's first event, in seconds since 1970.
        previous: The code of the action before the event's, or `START`.
        last: The code of the event's action.
        own: The shopper's counts of what followed such an action.
        features: The session's features.
        known: Whether the data goes on long enough to know whether the shopper left.
        outcome: The code of what came next.
    """

    session: int
    started_at: float
    previous: int
    last: int
    own: Transitions
    features: tuple[float, ...]
    known: bool
    outcome: int = LEAVE


def steps_of(events: Sequence[UserBehavior], shopper_of: Callable[[UserBehavior], str]) -> list[Step]:
    """Return the steps of sessions.

    Args:
        events: Events in order of time. Those without a product or a predicted action are no steps.
        shopper_of: Returns the key of an event's shopper.

    Returns:
        The steps with an outcome, ordered by session and then by time.
    """
    horizon = max((seconds(event.occurred_at) for event in events), default=0.0) - LEFT_AFTER_S
    rows: dict[str, bytes] = {}
    pending: dict[tuple[str, str], Step] = {}
    steps: list[Step] = []
    for event in events:
        shopper, time = shopper_of(event), seconds(event.occurred_at)
        data = rows.get(shopper)
        row = ShopperRow() if data is None else ShopperRow.from_bytes(data)
        row = apply_events(row, [event], DeltaBuilder(), _PARAMETERS)
        current, transitions = row.current_session(), row.transitions
        rows[shopper] = row.to_bytes()
        if current is None or event.action not in ACTIONS or event.product_id is None:
            continue
        key = shopper, current.session_id
        before = pending.get(key)
        if before is not None:
            steps.append(replace(before, outcome=ACTIONS.index(event.action)))
        pending[key] = Step(
            session=len(pending) if before is None else before.session,
            started_at=time if before is None else before.started_at,
            previous=current.previous,
            last=current.last,
            own={current.last: transitions[current.last]} if current.last in transitions else {},
            features=session_features(current) or (),
            known=time <= horizon,
        )
    steps += [step for step in pending.values() if step.known]
    return sorted(steps, key=lambda step: step.session)
