"""Sessions of one shopper as a pure state machine: events in, a new row and co-behaviour pairs out.

What belongs together: products viewed or clicked in one session are `viewed` together, products put into
the cart or made favourites are `carted` together, and products purchased are `bought` together. A return
pairs with nothing. In a session each relation holds a set of products: a product that enters it meets every
earlier one once, at the later of both entry times, so duplicates change nothing and the order of arrival
neither. A product that turns out to have entered earlier moves its meetings, too.

Which session an event belongs to:
- with a `session_id`, the one of that id, of this shopper (another shopper's equal id is another session);
  it takes late events for as long as it is remembered, whatever the gap;
- without one, the latest unnamed session that the event is at most the gap away from, before or after; else
  the event opens a new one. Two such sessions never merge, even if a late event lies between them.

A shopper's row remembers a bounded number of sessions; opening one more forgets the one whose last event is
the oldest. Events are told apart by their `event_id`, of which the row remembers a bounded number of
hashes: a duplicate within that window changes nothing at all.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from models.behavior.deltas import DeltaBuilder
from models.behavior.event_time import instant, seconds
from models.behavior.next_behavior import ACTIONS, LEAVE, START
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import remember
from models.behavior.shopper_row import OpenSession, ShopperRow, ShopperState, characters_of
from schemas.events import Action, Relation, UserBehavior

__all__ = ["RELATION_OF", "ShopperRow", "apply"]

RELATION_OF: dict[Action, Relation] = {
    Action.VIEW: Relation.VIEWED,
    Action.CLICK: Relation.VIEWED,
    Action.CART: Relation.CARTED,
    Action.FAVORITE: Relation.CARTED,
    Action.PURCHASE: Relation.BOUGHT,
}

_HASH = 8
# Characters of the longest identifier.
_LONGEST = 256


def apply(
    row: ShopperRow,
    events: Iterable[UserBehavior],
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
) -> ShopperRow:
    """Apply events of one shopper, in order of arrival.

    Args:
        row: The shopper's row, left as it is.
        events: Events that share the shopper's key.
        pairs: Receives the co-behaviour of the events.
        parameters: Gap and bounds.

    Returns:
        The new row.
    """
    changed, state = row.evolved()
    for event in events:
        if not _duplicate(state, event, parameters):
            _apply_one(state, event, pairs, parameters)
    return changed.sealed()


def _duplicate(state: ShopperState, event: UserBehavior, parameters: BehaviorParameters) -> bool:
    """Whether the event was seen; if not, it is from now on."""
    if event.event_id is None:
        return False
    mark = blake2b(event.event_id.encode(), digest_size=_HASH).digest()
    # A match across two marks' border is as unlikely as two ids with one mark: some 2,000 places in 2^64.
    if mark in state.seen:
        return True
    state.seen = (state.seen + mark)[-_HASH * int(parameters.seen_events) :]
    return False


def _apply_one(
    state: ShopperState, event: UserBehavior, pairs: DeltaBuilder, parameters: BehaviorParameters
) -> None:
    time = seconds(event.occurred_at)
    session = _find(state, event.session_id, time, parameters.session_gap_s)
    if session is None:
        session = _open(state, event.session_id, time, parameters)
    session.started_at = min(session.started_at, time)
    session.last_at = max(session.last_at, time)
    session.events += 1
    _step(state, session, event.action)
    remember(state.tastes, event.product_id, event.action, time, parameters)
    relation = RELATION_OF.get(event.action)
    if relation is not None:
        _enter(session, relation, event.product_id, time, pairs, parameters)
    _forget_old_sessions(state, session, parameters)


def _find(state: ShopperState, session_id: str | None, time: float, gap: float) -> OpenSession | None:
    if session_id is not None:
        for session in state.sessions:
            if session.named and session.session_id == session_id:
                return session
        return None
    near = (
        session
        for session in state.sessions
        if not session.named and session.started_at - gap <= time <= session.last_at + gap
    )
    return max(near, key=lambda session: session.last_at, default=None)


def _open(
    state: ShopperState, session_id: str | None, time: float, parameters: BehaviorParameters
) -> OpenSession:
    """Open a session; the shopper has then left the one before."""
    before = max(state.sessions, key=lambda session: session.last_at, default=None)
    if before is not None and not before.left and before.last_at <= time:
        _count(state, before.last, LEAVE, 1)
        before.left = True
    name = session_id if session_id is not None else f"{instant(time):%Y-%m-%dT%H:%M:%S.%fZ}"
    session = OpenSession(name, session_id is not None, time, time)
    state.sessions.append(session)
    return session


def _forget_old_sessions(state: ShopperState, active: OpenSession, parameters: BehaviorParameters) -> None:
    # No session holds more entries than events: for most shoppers that is enough to know.
    events = sum([session.events for session in state.sessions])
    if (
        len(state.sessions) <= parameters.open_sessions
        and events <= 2 * parameters.session_products
        and events * _LONGEST <= 2 * parameters.session_characters
    ):
        return
    remembered = sum(session.size() for session in state.sessions)
    while len(state.sessions) > 1 and (
        len(state.sessions) > parameters.open_sessions
        or remembered > 2 * parameters.session_products
        or _wordy(remembered, state.sessions, parameters)
    ):
        oldest = min(
            (session for session in state.sessions if session is not active),
            key=lambda session: session.last_at,
        )
        state.sessions.remove(oldest)
        remembered -= oldest.size()


def _wordy(remembered: int, sessions: Sequence[OpenSession], parameters: BehaviorParameters) -> bool:
    """Whether so many entries of `sessions` have too many characters; those of few are not counted."""
    bound = 2 * parameters.session_characters
    return remembered * _LONGEST > bound and sum(session.characters() for session in sessions) > bound


def _step(state: ShopperState, session: OpenSession, action: Action) -> None:
    code = ACTIONS.index(action)
    if session.left:
        _count(state, session.last, LEAVE, -1)
        session.left = False
    if session.last != START:
        _count(state, session.last, code, 1)
    session.previous, session.last = session.last, code


def _count(state: ShopperState, context: int, outcome: int, times: int) -> None:
    following = state.transitions.setdefault(context, [0] * (LEAVE + 1))
    following[outcome] = max(0, following[outcome] + times)


def _enter(
    session: OpenSession,
    relation: Relation,
    product: str,
    time: float,
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
) -> None:
    entered = session.entered.setdefault(relation.value, {})
    before = entered.get(product)
    if before is None:
        if entered:
            # In order of time, which is usual, nothing in the session is later than this event.
            in_order = time == session.last_at
            times = [time] * len(entered) if in_order else [max(time, at) for at in entered.values()]
            pairs.pair(product, list(entered), times, relation)
        entered[product] = time
        _bound(entered, parameters)
    elif time < before:
        entered[product] = time
        _move(product, entered, before, pairs, relation)


def _bound(entered: dict[str, float], parameters: BehaviorParameters) -> None:
    """Forget the products that came first while there are too many, or their ids are too long."""
    if len(entered) > parameters.session_products:
        del entered[next(iter(entered))]
    if len(entered) * _LONGEST > parameters.session_characters:
        excess = characters_of(entered) - parameters.session_characters
        while excess > 0:
            first = next(iter(entered))
            excess -= len(first)
            del entered[first]


def _move(
    product: str, entered: dict[str, float], before: float, pairs: DeltaBuilder, relation: Relation
) -> None:
    """Move the meetings of a product that entered earlier than at `before`, which was thought so far."""
    now = entered[product]
    moved = {name: time for name, time in entered.items() if time < before and name != product}
    if moved:
        pairs.pair(product, list(moved), [max(now, time) for time in moved.values()], relation, 1.0, 0)
        pairs.pair(product, list(moved), [before] * len(moved), relation, -1.0, 0)
