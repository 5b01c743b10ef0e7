"""Counts a shopper's transitions from one action of a session to the next, in place."""

from models.behavior.next_behavior import ACTIONS, LEAVE, START
from models.behavior.shopper_row import OpenSession, ShopperState
from schemas.events import Action


def add_count(state: ShopperState, last: int, outcome: int, count: int) -> None:
    """Add to a count of transitions. It never falls below zero."""
    outcomes = state.transitions.setdefault(last, [0] * (LEAVE + 1))
    outcomes[outcome] = max(0, outcomes[outcome] + count)


def count_transition(state: ShopperState, session: OpenSession, action: Action) -> None:
    """Count a session's next action. The session is open again if it was left."""
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


def count_leave(state: ShopperState, time: float) -> None:
    """Count that the shopper left the latest session, if it ended before a new one begins at `time`."""
    latest = max(state.sessions, key=lambda session: session.last_at, default=None)
    left = latest is not None and latest.last != START and not latest.leave_counted
    if latest is not None and left and latest.last_at <= time:
        add_count(state, latest.last, LEAVE, 1)
        latest.leave_counted = True


def join_transitions(
    state: ShopperState, merged: OpenSession, first: OpenSession, second: OpenSession
) -> None:
    """Give a session that was merged of two parts their actions, and count the transition between them."""
    _join_runs(merged, first, second)
    merged.first = second.first if first.last == START else first.first
    if second.last == START or first.last == START:
        acted = first if second.last == START else second
        merged.previous, merged.last, merged.leave_counted = acted.previous, acted.last, acted.leave_counted
        return
    if first.leave_counted:
        add_count(state, first.last, LEAVE, -1)
    if second.first != START:
        add_count(state, first.last, second.first, 1)
    only_one = second.previous == START
    merged.previous, merged.last = first.last if only_one else second.previous, second.last
    merged.leave_counted = second.leave_counted


def _join_runs(merged: OpenSession, first: OpenSession, second: OpenSession) -> None:
    """Set the run of the last product. A run can go on over the border of the parts."""
    last = second if second.run else first
    merged.last_product, merged.run = last.last_product, last.run
    if last is second and first.last_product == second.last_product and second.run == second.events:
        merged.run += first.run
