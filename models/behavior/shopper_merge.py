"""Merges two rows of one shopper: the guest's row and the user's row become one.

The result is the row that one shopper would have had, as far as that does not depend on the order of arrival:
sessions, entry times, pairs, product weights, numbers of events, and recent event ids. The order of arrival
is taken to be that of the sessions' start times: if the guest's events all came before those of the user,
the transitions are equal too.

- Sessions of one shop with the same id become one. So does a session without id and the latest of the other
  row that lies within the gap.
- The pairs of the merged session are those of the set of its products: what is missing is added, and what was
  counted twice, at a later time or with another weight is corrected. What a guest did weighs as much as what
  the user does from then on.
- Transitions add, with that between the two parts of a merged session.
"""

from models.behavior.deltas import DeltaBuilder
from models.behavior.logins import add_guests
from models.behavior.next_behavior import LEAVE, START
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import merge_weights
from models.behavior.returns import add_returns
from models.behavior.session_bounds import drop_oldest_sessions
from models.behavior.session_changes import SessionChanges
from models.behavior.sessions import DIGEST_BYTES
from models.behavior.shopper_products import merge_history
from models.behavior.shopper_row import OpenSession, ShopperRow, ShopperState
from models.behavior.transitions import add_count


def merged_rows(
    row: ShopperRow, other: ShopperRow, pairs: DeltaBuilder, parameters: BehaviorParameters
) -> ShopperRow:
    """Merge another row of the same shopper into a row.

    Args:
        row: The user's row, which is not changed.
        other: The guest's row, which is not changed.
        pairs: Receives the co-behavior between both, and corrections of it.
        parameters: Session gap (seconds), half-lives and bounds.

    Returns:
        The merged row.

    Raises:
        StopWorker: A row is damaged.
    """
    changed, state = row.copy_for_update()
    _, guest = other.copy_for_update()
    _add_transitions(state, guest)
    merge_weights(state.product_weights, guest.product_weights, parameters)
    merge_history(state.products, guest.products, parameters)
    state.seen = _joined_digests(guest.seen, state.seen, parameters)
    add_guests(state, guest.guests)
    add_returns(state, guest.returns, int(parameters.returns))
    state.admitted_at = max(state.admitted_at, guest.admitted_at)
    state.admitted = max(state.admitted, guest.admitted)
    state.forgotten_at = max(state.forgotten_at, guest.forgotten_at)
    changes = SessionChanges(state, parameters)
    _become_known(guest, changes)
    users, guests = list(state.sessions), list(guest.sessions)
    for session in guest.sessions:
        same = _same_session(users, session, parameters.session_gap_s)
        if same is None:
            continue
        users.remove(same)
        guests.remove(session)
        first, second = (session, same) if session.started_at <= same.started_at else (same, session)
        state.sessions.remove(same)
        state.sessions.append(changes.merge(first, second))
    _count_leaves(state, users, guests)
    state.sessions = sorted([*state.sessions, *guests], key=lambda session: session.started_at)
    for product in list(state.returns):
        changes.match_returns(product)
    if state.sessions:
        drop_oldest_sessions(state, max(state.sessions, key=lambda each: each.last_at), parameters)
    changes.emit(pairs)
    return changed.encoded()


def _become_known(guest: ShopperState, changes: SessionChanges) -> None:
    """Give what a guest who became the user did the weight of a known user."""
    if not guest.is_guest:
        for session in guest.sessions:
            changes.touch(session)
            session.known = True


def _add_transitions(state: ShopperState, guest: ShopperState) -> None:
    for last, outcomes in guest.transitions.items():
        for outcome, count in enumerate(outcomes):
            add_count(state, last, outcome, count)


def _joined_digests(guest: bytes, user: bytes, parameters: BehaviorParameters) -> bytes:
    """Join digests of event ids, those of the user last."""
    known = {user[at : at + DIGEST_BYTES] for at in range(0, len(user), DIGEST_BYTES)}
    digests = (guest[at : at + DIGEST_BYTES] for at in range(0, len(guest), DIGEST_BYTES))
    joined = b"".join(digest for digest in digests if digest not in known) + user
    return joined[-DIGEST_BYTES * int(parameters.seen_events) :]


def _same_session(users: list[OpenSession], session: OpenSession, gap_s: float) -> OpenSession | None:
    """Return the user's session that the guest's session is a part of."""
    users = [each for each in users if None in (each.shop, session.shop) or each.shop == session.shop]
    if session.named:
        return next((each for each in users if each.named and each.session_id == session.session_id), None)
    near = (
        each
        for each in users
        if not each.named
        and each.started_at - gap_s <= session.last_at
        and session.started_at - gap_s <= each.last_at
    )
    return max(near, key=lambda each: each.last_at, default=None)


def _count_leaves(state: ShopperState, users: list[OpenSession], guests: list[OpenSession]) -> None:
    """Count that the shopper left the latest session of one row when a session of the other one began."""
    for own, others in ((users, guests), (guests, users)):
        latest = max(own, key=lambda session: session.last_at, default=None)
        if latest is None or latest.leave_counted or latest.last == START:
            continue
        if any(each.started_at >= latest.last_at for each in others):
            add_count(state, latest.last, LEAVE, 1)
            latest.leave_counted = True
