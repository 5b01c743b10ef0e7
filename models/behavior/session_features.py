"""What a session tells about the shopper's next action, as numbers."""

from math import log1p
from typing import TYPE_CHECKING

from schemas.events import Relation

if TYPE_CHECKING:
    from models.behavior.shopper_row import OpenSession

FEATURES = (
    "events",
    "viewed",
    "carted",
    "bought",
    "open_carts",
    "repeats",
    "repeat_share",
    "duration",
    "run",
)
"""The names of the features, in their order. All are counts as log(1 + n), but for two.

`events` counts events; `viewed`, `carted` and `bought` products; `open_carts` carted products that were not
bought; `repeats` events with a product that was in its relation already, `repeat_share` their share of the
events. `duration` is log(1 + seconds) from the first to the last event. `run` counts the events just before
the last one that had its product.
"""


def session_features(session: "OpenSession") -> tuple[float, ...] | None:
    """Return a session's features, in the order of `FEATURES`.

    Args:
        session: The session, up to its last event.

    Returns:
        The features, all at least zero. None for a session that an earlier release began, and for one
        without any product: they do not hold what the features need.
    """
    if session.run == 0:
        return None
    viewed, carted, bought = (
        session.entry_times.get(relation.value, {})
        for relation in (Relation.VIEWED, Relation.CARTED, Relation.BOUGHT)
    )
    repeats = max(0, session.events - len(viewed) - len(carted) - len(bought))
    open_carts = len(carted.keys() - bought.keys()) if bought else len(carted)
    return (
        log1p(session.events),
        log1p(len(viewed)),
        log1p(len(carted)),
        log1p(len(bought)),
        log1p(open_carts),
        log1p(repeats),
        repeats / session.events,
        log1p(session.last_at - session.started_at),
        log1p(session.run - 1),
    )
