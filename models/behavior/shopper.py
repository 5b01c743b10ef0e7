"""What there is to say about a shopper: session, expectation and taste in one event."""

from collections.abc import Callable

from models.behavior.event_time import instant
from models.behavior.next_behavior import NextBehavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import Description, preferences
from models.behavior.sessions import ShopperRow
from schemas.events import ShopperUpdated


def shopper_updated(
    user_id: str,
    row: ShopperRow,
    next_behavior: NextBehavior,
    describe: Callable[[str], Description | None],
    parameters: BehaviorParameters,
) -> ShopperUpdated | None:
    """The event that publishes a shopper's row; None if the row has no session yet.

    Args:
        user_id: The shopper's key; for a guest the session's id.
        row: The shopper's row.
        next_behavior: The model of what comes next.
        describe: Tags and category of a product now; None if nothing is known of it.
        parameters: Half-life and bounds of the preference.
    """
    current, session = row.current(), row.session()
    if current is None or session is None:
        return None
    tags, categories = preferences(row.tastes, describe, parameters)
    return ShopperUpdated(
        user_id=user_id,
        as_of=instant(current.last_at),
        session=session,
        next_behavior=next_behavior.probabilities(current.previous, current.last, row.transitions),
        tags=tags,
        categories=categories,
    )
