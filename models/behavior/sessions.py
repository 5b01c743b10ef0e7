"""Groups the events of one shopper into sessions and computes co-behavior pairs, as a pure state machine.

Input is a shopper's row and events in order of arrival. Output is a new row and the pairs of products that
occurred together in a session.

**Relations.** Products that were viewed or clicked in a session are related as `viewed`, products that were
put into the cart or marked as favorites as `carted`, and purchased products as `bought`. Other actions have
no relation; what was carted once stays so if it is removed from the cart. In a session, each relation holds
the set of its products with their entry times: the earliest event time of the product in this relation. A
pair of products counts once, at the later of the two entry times.
Repeated actions and the order of arrival therefore change nothing. If an event lowers a product's entry time,
the times of its pairs are corrected.

**Session of an event.** A session is of one shop, so that no pair crosses shops.

- With a `session_id`: the shopper's session of this id. It accepts late events for as long as it is in the
  row, however long the gap. Equal ids of two shoppers are two sessions.
- Without a `session_id`: the latest session without id whose time span, extended by the gap on both sides,
  contains the event. If there is none, the event opens a new session. Two such sessions never merge, even if
  a late event lies between them.

**States of a session.**

- open: The row holds the session. Every event of it adds a transition from the session's last action to the
  event's action, if the action is one of `ACTIONS`.
- leave counted: Another session of the shopper was opened at or after the session's last event, so a
  transition to "leave" was added. The session stays in the row. If it gets another event, it is open again
  and the "leave" transition is subtracted.
- dropped: The row had too many sessions, or sessions of too many products, and this session's last event was
  the oldest. A later event with the same `session_id` opens a new session.

**Duplicates.** The row holds hashes of a bounded number of recent `event_id`s. An event whose id is among
them changes nothing.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from models.behavior.deltas import DeltaBuilder
from models.behavior.event_time import instant, seconds
from models.behavior.next_behavior import ACTIONS, LEAVE, START
from models.behavior.next_products import touch
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import add_action
from models.behavior.shopper_products import archive
from models.behavior.shopper_row import OpenSession, ShopperRow, ShopperState, total_characters
from schemas.events import Action, Relation, UserBehavior

__all__ = ["RELATION_OF", "ShopperRow", "apply_events"]

RELATION_OF: dict[Action, Relation] = {
    Action.VIEW: Relation.VIEWED,
    Action.CLICK: Relation.VIEWED,
    Action.CART: Relation.CARTED,
    Action.FAVORITE: Relation.CARTED,
    Action.PURCHASE: Relation.BOUGHT,
}
"""The relation of each action; other actions have none."""

DIGEST_BYTES = 8
"""The bytes of an event id in a row."""
_MAX_ID_CHARACTERS = 256


def apply_events(
    row: ShopperRow,
    events: Iterable[UserBehavior],
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
) -> ShopperRow:
    """Apply events of one shopper to the shopper's row.

    Args:
        row: The shopper's row, which is not changed.
        events: Events of this shopper, in order of arrival.
        pairs: Receives the co-behavior of the events. Times are in seconds since 1970, weights and support
            in sessions.
        parameters: Session gap (seconds), half-lives and bounds.

    Returns:
        The new row.

    Raises:
        StopWorker: `row` is damaged.
    """
    changed, state = row.copy_for_update()
    for event in events:
        if event.action is not Action.IDENTIFY and not _is_duplicate(state, event, parameters):
            _apply_event(state, event, pairs, parameters)
    return changed.encoded()


def _is_duplicate(state: ShopperState, event: UserBehavior, parameters: BehaviorParameters) -> bool:
    """Whether the event's id was seen before. If not, its hash is added to `state`."""
    if event.event_id is None:
        return False
    digest = blake2b(event.event_id.encode(), digest_size=DIGEST_BYTES).digest()
    # A match across the border of two hashes is as unlikely as a collision: about 2,000 positions in 2^64.
    if digest in state.seen:
        return True
    state.seen = (state.seen + digest)[-DIGEST_BYTES * int(parameters.seen_events) :]
    return False


def _apply_event(
    state: ShopperState, event: UserBehavior, pairs: DeltaBuilder, parameters: BehaviorParameters
) -> None:
    state.is_guest = event.user_id is None and (state.is_guest or not state.sessions)
    time = seconds(event.occurred_at)
    session = _find_session(state, event, time, parameters.session_gap_s)
    if session is None:
        session = _open_session(state, event.session_id, time)
    if session.shop is None and _names_shop(event):
        session.shop = event.shop_id or ""
    session.started_at = min(session.started_at, time)
    session.last_at = max(session.last_at, time)
    session.events += 1
    _count_transition(state, session, event.action)
    if event.product_id is not None:
        session.run = session.run + 1 if event.product_id == session.last_product else 1
        session.last_product = event.product_id
        add_action(state.product_weights, event.product_id, event.action, time, parameters)
        relation = RELATION_OF.get(event.action)
        if relation is not None:
            touch(session.recent, event.product_id, time)
            _add_product(session, relation, event.product_id, time, pairs, parameters)
    drop_oldest_sessions(state, session, parameters)


def _names_shop(event: UserBehavior) -> bool:
    """Whether an event is of a certain shop. A product without `shop_id` is of a shop of its own."""
    return bool(event.shop_id) or event.product_id is not None


def _find_session(state: ShopperState, event: UserBehavior, time: float, gap_s: float) -> OpenSession | None:
    sessions = state.sessions
    if _names_shop(event):
        shop = event.shop_id or ""
        sessions = [session for session in sessions if session.shop is None or session.shop == shop]
    if event.session_id is not None:
        for session in sessions:
            if session.named and session.session_id == event.session_id:
                return session
        return None
    near = (
        session
        for session in sessions
        if not session.named and session.started_at - gap_s <= time <= session.last_at + gap_s
    )
    return max(near, key=lambda session: session.last_at, default=None)


def _open_session(state: ShopperState, session_id: str | None, time: float) -> OpenSession:
    """Open a session and count that the shopper left the latest one."""
    latest = max(state.sessions, key=lambda session: session.last_at, default=None)
    left = latest is not None and latest.last != START and not latest.leave_counted
    if latest is not None and left and latest.last_at <= time:
        add_count(state, latest.last, LEAVE, 1)
        latest.leave_counted = True
    name = session_id if session_id is not None else f"{instant(time):%Y-%m-%dT%H:%M:%S.%fZ}"
    session = OpenSession(name, session_id is not None, time, time)
    state.sessions.append(session)
    return session


def drop_oldest_sessions(state: ShopperState, active: OpenSession, parameters: BehaviorParameters) -> None:
    """Drop sessions by their oldest last event until the bounds hold; `active` stays."""
    # A session has at most as many entries as events, which settles the question for most shoppers.
    events = sum([session.events for session in state.sessions])
    if (
        len(state.sessions) <= parameters.open_sessions
        and events <= 2 * parameters.session_products
        and events * _MAX_ID_CHARACTERS <= 2 * parameters.session_characters
    ):
        return
    entries = sum(session.entries() for session in state.sessions)
    while len(state.sessions) > 1 and (
        len(state.sessions) > parameters.open_sessions
        or entries > 2 * parameters.session_products
        or _ids_too_long(entries, state.sessions, parameters)
    ):
        oldest = min(
            (session for session in state.sessions if session is not active),
            key=lambda session: session.last_at,
        )
        state.sessions.remove(oldest)
        archive(state.products, oldest.entry_times, (), parameters)
        entries -= oldest.entries()


def _ids_too_long(entries: int, sessions: Sequence[OpenSession], parameters: BehaviorParameters) -> bool:
    """Whether the ids in `sessions` exceed the bound on characters. Few entries need no counting."""
    bound = 2 * parameters.session_characters
    return entries * _MAX_ID_CHARACTERS > bound and sum(session.characters() for session in sessions) > bound


def _count_transition(state: ShopperState, session: OpenSession, action: Action) -> None:
    if action not in ACTIONS:
        return
    code = ACTIONS.index(action)
    if session.leave_counted:
        add_count(state, session.last, LEAVE, -1)
        session.leave_counted = False
    if session.last == START:
        session.first = code
    else:
        add_count(state, session.last, code, 1)
    session.previous, session.last = session.last, code


def add_count(state: ShopperState, last: int, outcome: int, count: int) -> None:
    """Add to a count of transitions, in place. It never falls below zero."""
    outcomes = state.transitions.setdefault(last, [0] * (LEAVE + 1))
    outcomes[outcome] = max(0, outcomes[outcome] + count)


def _add_product(
    session: OpenSession,
    relation: Relation,
    product: str,
    time: float,
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
) -> None:
    """Add a product to a relation of a session, with its pairs, or lower its entry time."""
    entry_times = session.entry_times.setdefault(relation.value, {})
    entry_time = entry_times.get(product)
    if entry_time is None:
        if entry_times:
            # If events arrive in order, which is usual, no entry time in the session is after this event.
            in_order = time == session.last_at
            times = [time] * len(entry_times) if in_order else [max(time, at) for at in entry_times.values()]
            pairs.add_pairs(product, list(entry_times), times, relation)
        entry_times[product] = time
        drop_oldest_products(entry_times, parameters)
    elif time < entry_time:
        entry_times[product] = time
        _move_pairs(product, entry_times, entry_time, pairs, relation)


def drop_oldest_products(entry_times: dict[str, float], parameters: BehaviorParameters) -> None:
    """Drop the products that arrived first, in place, until the bounds on products and characters hold."""
    while len(entry_times) > parameters.session_products:
        del entry_times[next(iter(entry_times))]
    if len(entry_times) * _MAX_ID_CHARACTERS > parameters.session_characters:
        excess = total_characters(entry_times) - parameters.session_characters
        while excess > 0:
            first = next(iter(entry_times))
            excess -= len(first)
            del entry_times[first]


def _move_pairs(
    product: str, entry_times: dict[str, float], before: float, pairs: DeltaBuilder, relation: Relation
) -> None:
    """Correct the times of a product's pairs after its entry time was lowered from `before`.

    A pair's time is the later entry time of both, so only pairs with products that entered before `before`
    change. Each of them gets weight 1 at its new time and -1 at `before`; its support stays.
    """
    now = entry_times[product]
    moved = {name: time for name, time in entry_times.items() if time < before and name != product}
    if moved:
        new_times = [max(now, time) for time in moved.values()]
        pairs.add_pairs(product, list(moved), new_times, relation, 1.0, 0)
        pairs.add_pairs(product, list(moved), [before] * len(moved), relation, -1.0, 0)
