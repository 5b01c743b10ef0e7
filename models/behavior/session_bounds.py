"""Bounds of a shopper's row: which sessions are dropped, and which events are too late for the others."""

from collections.abc import Sequence

from models.behavior.parameters import BehaviorParameters
from models.behavior.returns import forget_returns
from models.behavior.shopper_products import archive
from models.behavior.shopper_row import OpenSession, ShopperState

_MAX_ID_CHARACTERS = 256


def latest_event_at(state: ShopperState) -> float:
    """Return the time of the latest event of all sessions in seconds since 1970; -inf without any."""
    return max([session.last_at for session in state.sessions], default=float("-inf"))


def is_late(state: ShopperState, time: float, parameters: BehaviorParameters) -> bool:
    """Whether an event at `time`, in seconds since 1970, is older than the allowed lateness."""
    return time < latest_event_at(state) - parameters.allowed_lateness_s


def may_be_of_dropped(state: ShopperState, time: float, parameters: BehaviorParameters) -> bool:
    """Whether an event without session id at `time` may be of a session that was dropped."""
    return time <= state.forgotten_at + parameters.session_gap_s


def drop_oldest_sessions(state: ShopperState, active: OpenSession, parameters: BehaviorParameters) -> None:
    """Drop sessions by their oldest last event until the bounds hold; `active` stays."""
    # A session has at most as many entries as events, which settles the question for most shoppers.
    events = sum([session.events for session in state.sessions])
    if (
        len(state.sessions) <= parameters.open_sessions
        and events <= parameters.row_products
        and events * _MAX_ID_CHARACTERS <= parameters.row_characters
    ):
        return
    entries = sum(session.entries() for session in state.sessions)
    while len(state.sessions) > 1 and (
        len(state.sessions) > parameters.open_sessions
        or entries > parameters.row_products
        or _ids_too_long(entries, state.sessions, parameters)
    ):
        oldest = min(
            (session for session in state.sessions if session is not active),
            key=lambda session: session.last_at,
        )
        state.sessions.remove(oldest)
        archive(state.products, oldest.entry_times, oldest.returned, parameters)
        forget_returns(state, oldest)
        if not oldest.named:
            state.forgotten_at = max(state.forgotten_at, oldest.last_at)
        entries -= oldest.entries()


def _ids_too_long(entries: int, sessions: Sequence[OpenSession], parameters: BehaviorParameters) -> bool:
    """Whether the ids in `sessions` exceed the bound on characters. Few entries need no counting."""
    bound = parameters.row_characters
    return entries * _MAX_ID_CHARACTERS > bound and sum(session.characters() for session in sessions) > bound
