"""Groups the events of one shopper into sessions and computes co-behavior pairs, as a pure state machine.

Input is a shopper's row and events in order of arrival. Output is a new row and the pairs of products that
occurred together in a session.

**Relations.** Products that were viewed or clicked in a session are related as `viewed`, products that were
put into the cart or marked as favorites as `carted`, and purchased products as `bought`. Other actions have
no relation; what was carted once stays so if it is removed from the cart. A return takes back the purchase
(`models.behavior.returns`). In a session, each relation holds the set of its products with their entry times:
the earliest event time of the product in this relation. `models.behavior.session_pairs` defines the pairs of
this set. Repeated actions, the order of arrival and the size of batches therefore change nothing: what an
event changes in earlier pairs is corrected (`models.behavior.session_changes`, with a bound).

**Session of an event.** A session is of one shop, so that no pair crosses shops.

- With a `session_id`: the shopper's session of this id. It accepts late events for as long as it is in the
  row, up to the allowed lateness. Equal ids of two shoppers are two sessions.
- Without a `session_id`: the session without id whose time span, extended by the gap on both sides, contains
  the event. If there is none, the event opens a new session. If there are several, they become one.

**Weight of a session.** 1 if the shopper is a known user, less for a guest. None if the session has more
events than a person makes, or if the shopper has more sessions than a person has.

**Late events.** An event that is older than the shopper's latest one by more than the allowed lateness is of
no session. Neither is one without `session_id` that may be of a session which the row has dropped. Both count
in the shopper's preferences, where they have decayed.

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

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

from models.behavior.deltas import DeltaBuilder
from models.behavior.event_time import instant, seconds
from models.behavior.next_products import touch
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import add_action
from models.behavior.session_bounds import drop_oldest_sessions, is_late, may_be_of_dropped
from models.behavior.session_changes import LATE, SessionChanges
from models.behavior.shopper_row import OpenSession, ShopperRow, ShopperState
from models.behavior.transitions import count_leave, count_transition
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


def apply_events(
    row: ShopperRow,
    events: Iterable[UserBehavior],
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
    counts: Counter[str] | None = None,
) -> ShopperRow:
    """Apply events of one shopper to the shopper's row.

    Args:
        row: The shopper's row, which is not changed.
        events: Events of this shopper, in order of arrival.
        pairs: Receives the co-behavior of the events. Times are in seconds since 1970, weights and support
            in sessions.
        parameters: Session gap (seconds), weights, half-lives and bounds.
        counts: Receives the counts of `models.behavior.session_changes`.

    Returns:
        The new row.

    Raises:
        StopWorker: `row` is damaged.
    """
    changed, state = row.copy_for_update()
    changes = SessionChanges(state, parameters, counts)
    for event in events:
        if event.action is not Action.IDENTIFY and not _is_duplicate(state, event, parameters):
            _apply_event(state, event, changes, parameters)
    changes.emit(pairs)
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
    state: ShopperState, event: UserBehavior, changes: SessionChanges, parameters: BehaviorParameters
) -> None:
    state.is_guest = event.user_id is None and (state.is_guest or not state.sessions)
    time, product = seconds(event.occurred_at), event.product_id
    if product is not None:
        add_action(state.product_weights, product, event.action, time, parameters)
    late = is_late(state, time, parameters)
    session = None if late else _find_session(state, event, time, changes, parameters)
    if session is None:
        dropped = not late and event.session_id is None and may_be_of_dropped(state, time, parameters)
        if late or dropped:
            changes.counts[LATE] += 1
            if dropped:
                state.forgotten_at = max(state.forgotten_at, time)
            return
        session = _open_session(state, event.session_id, time)
    changes.touch(session)
    if session.shop is None and _names_shop(event):
        session.shop = event.shop_id or ""
    session.known = session.known or event.user_id is not None
    session.started_at = min(session.started_at, time)
    session.last_at = max(session.last_at, time)
    session.events += 1
    count_transition(state, session, event.action)
    if product is not None:
        session.run = session.run + 1 if product == session.last_product else 1
        session.last_product = product
        relation = RELATION_OF.get(event.action)
        if relation is not None:
            touch(session.recent, product, time)
            changes.add_product(session, relation, product, time)
        elif event.action is Action.RETURN:
            changes.add_return(product, time)
    drop_oldest_sessions(state, session, parameters)


def _names_shop(event: UserBehavior) -> bool:
    """Whether an event is of a certain shop. A product without `shop_id` is of a shop of its own."""
    return bool(event.shop_id) or event.product_id is not None


def _find_session(
    state: ShopperState,
    event: UserBehavior,
    time: float,
    changes: SessionChanges,
    parameters: BehaviorParameters,
) -> OpenSession | None:
    sessions = state.sessions
    if _names_shop(event):
        shop = event.shop_id or ""
        sessions = [session for session in sessions if session.shop is None or session.shop == shop]
    if event.session_id is not None:
        for session in sessions:
            if session.named and session.session_id == event.session_id:
                return session
        return None
    gap_s = parameters.session_gap_s
    near = [
        session
        for session in sessions
        if not session.named and session.started_at - gap_s <= time <= session.last_at + gap_s
    ]
    if len(near) > 1:
        return _merged_by_event(state, near, changes)
    return near[0] if near else None


def _merged_by_event(state: ShopperState, near: list[OpenSession], changes: SessionChanges) -> OpenSession:
    """Merge sessions without id, as an event lies between them. Sessions of other shops stay."""
    latest = max(near, key=lambda session: session.last_at)
    for other in sorted(near, key=lambda session: -session.last_at):
        if other is latest or (None not in (other.shop, latest.shop) and other.shop != latest.shop):
            continue
        if not changes.can_merge(other, latest):
            break
        first, second = sorted((other, latest), key=lambda session: session.started_at)
        latest = changes.merge(first, second)
        kept = [each for each in state.sessions if each is not second]
        state.sessions = [latest if each is first else each for each in kept]
    return latest


def _open_session(state: ShopperState, session_id: str | None, time: float) -> OpenSession:
    """Open a session and count that the shopper left the latest one."""
    count_leave(state, time)
    name = session_id if session_id is not None else f"{instant(time):%Y-%m-%dT%H:%M:%S.%fZ}"
    session = OpenSession(name, session_id is not None, time, time, counted=0.0)
    state.sessions.append(session)
    return session
