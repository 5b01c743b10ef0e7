"""Builds the event with a shopper's session, next action and preferences."""

from collections import Counter
from collections.abc import Callable

from models.behavior.event_time import instant
from models.behavior.next_behavior import NextBehavior
from models.behavior.next_products import latest_first, next_products
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import preferences
from models.behavior.related_lists import RelatedList
from models.behavior.sessions import ShopperRow
from models.behavior.shopper_products import shopper_products
from models.behavior.taste_mean import NO_MEAN, ProductLabels, TasteMean
from schemas.events import ShopperUpdated


def shopper_updated(
    user_id: str,
    row: ShopperRow,
    next_behavior: NextBehavior,
    labels_of: Callable[[str], ProductLabels | None],
    parameters: BehaviorParameters,
    related_to: Callable[[str], RelatedList | None] = lambda _: None,
    mean: TasteMean = NO_MEAN,
) -> ShopperUpdated | None:
    """Build the event of a shopper's row.

    Args:
        user_id: The shopper's id; for a guest the session id.
        row: The shopper's row.
        next_behavior: The model of the next action.
        labels_of: Returns the current labels of a product, or None if the product is unknown.
        parameters: Half-lives and bounds.
        related_to: Returns the related products of a product, or None if none are known.
        mean: The taste of the shop's average shopper.

    Returns:
        The event, or None if the row has no session yet.
    """
    current, session = row.current_session(), row.published_session()
    if current is None or session is None:
        return None
    tags, categories = preferences(row.product_weights, labels_of, parameters, mean)
    recent = latest_first(current.recent)
    return ShopperUpdated(
        user_id=user_id,
        as_of=instant(current.last_at),
        session=session,
        next_behavior=next_behavior.in_session(current, row.transitions),
        tags=tags,
        categories=categories,
        products=shopper_products(
            row.past_products,
            [(session.entry_times, session.returned) for session in row.sessions],
            _unmatched_returns(row),
            parameters,
        ),
        recent_products=recent,
        next_products=next_products(recent, related_to),
    )


def _unmatched_returns(row: ShopperRow) -> dict[str, int]:
    """Return the number of returns by product whose purchase is in no session of the row."""
    matched = Counter(product for session in row.sessions for product in session.returned)
    counts = {product: len(times) - matched[product] for product, times in row.returns.items()}
    return {product: count for product, count in counts.items() if count > 0}
