"""Logins: a guest becomes a user, and what the guest did is the user's from then on.

A guest's row and a user's row may be on different partitions, and so may be read by different workers. Four
pure steps join them, with a message between each two:

1. `logins` finds in a user's events which guests the user is. An event says so that has a `user_id` and an
   `anonymous_id`, and an `identify`, which may name the guest by the session id. It is sent again in
   every session, because another user may use the same device meanwhile.
2. `log_in` empties the guest's row, and keeps the login in it. Later events of the guest go to that user.
3. `models.behavior.shopper_merge` adds what the guest did to the user's row.
4. `with_guest` notes the guest in the user's row, so that the user's erasure reaches the guest.

Of several logins of a guest the latest in event time holds. Each user gets what the guest did between two
logins: nothing is moved twice, because a guest's row is emptied in the transaction that hands it over.
"""

from collections.abc import Iterable
from typing import NamedTuple

from models.behavior.event_time import seconds
from models.behavior.parameters import BehaviorParameters
from models.behavior.shopper_products import history_since
from models.behavior.shopper_row import Login, ShopperRow, ShopperState
from schemas.events import Action, UserBehavior

MOST_GUESTS = 32
"""The number of guests that a user's row names; those with the latest logins stay."""


class LoggedIn(NamedTuple):
    """What a login makes of a guest's row.

    Attributes:
        row: The guest's row: the login, and nothing that the guest did.
        handed_over: What the guest did; None if there is nothing.
    """

    row: ShopperRow
    handed_over: ShopperRow | None


def guest_of(event: UserBehavior) -> str | None:
    """Return the guest that an event's user was; None if the event does not say it."""
    if event.user_id is None:
        return None
    guest = event.anonymous_id
    if guest is None and event.action is Action.IDENTIFY:
        guest = event.session_id
    return None if guest == event.user_id else guest


def logins(
    row: ShopperRow, events: Iterable[UserBehavior], parameters: BehaviorParameters
) -> dict[str, Login]:
    """Find the logins that a guest's row may not know yet.

    Args:
        row: The user's row.
        events: Events of the user.
        parameters: A login is sent again after the session gap.

    Returns:
        The latest login of each guest.
    """
    found: dict[str, Login] = {}
    for event in events:
        guest = guest_of(event)
        if guest is None or event.user_id is None:
            continue
        at, known = seconds(event.occurred_at), row.guests.get(guest)
        if known is not None and at <= known + parameters.session_gap_s:
            continue
        if guest not in found or found[guest].at < at:
            found[guest] = Login(event.user_id, at)
    return found


def log_in(row: ShopperRow, login: Login) -> LoggedIn | None:
    """Let a guest become a user.

    Args:
        row: The guest's row, which is not changed.
        login: The login.

    Returns:
        The new row, and what goes to the user. None if a later login is known: then nothing changes.
    """
    if row.login is not None and row.login.at >= login.at and row.login != login:
        return None
    moved, state = row.copy_for_update()
    state.is_guest, state.login = False, None
    moved = moved.encoded()
    emptied, left = ShopperRow().copy_for_update()
    left.is_guest, left.login = True, login
    return LoggedIn(emptied.encoded(), moved if moved.has_behavior or moved.guests else None)


def with_guest(row: ShopperRow, guest: str, at: float) -> ShopperRow:
    """Return a user's row that names a guest who logged in at `at`, in seconds since 1970."""
    changed, state = row.copy_for_update()
    add_guests(state, {guest: at})
    return changed.encoded()


def add_guests(state: ShopperState, guests: dict[str, float]) -> None:
    """Add guests to a user's state, in place, and drop those with the oldest logins beyond the bound."""
    for guest, at in guests.items():
        state.guests[guest] = max(at, state.guests.get(guest, at))
    for guest in sorted(state.guests, key=state.guests.__getitem__)[:-MOST_GUESTS]:
        del state.guests[guest]


def without_events_until(row: ShopperRow, until: float) -> ShopperRow:
    """Return a row without what occurred up to a time, for a user who was erased then.

    Sessions and product weights that began or were changed last by then are left out. Transitions have no
    times: they are left out with the first session.

    Args:
        row: The row, which is not changed.
        until: Seconds since 1970.
    """
    changed, state = row.copy_for_update()
    sessions = [session for session in state.sessions if session.started_at > until]
    if len(sessions) < len(state.sessions):
        state.transitions = {}
    state.sessions = sessions
    state.product_weights = {
        product: stored for product, stored in state.product_weights.items() if stored[1] > until
    }
    state.products = history_since(state.products, until)
    state.guests = {guest: at for guest, at in state.guests.items() if at > until}
    return changed.encoded()
