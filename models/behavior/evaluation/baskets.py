"""Groups behavior events into baskets: the distinct products of one relation in a session."""

from collections.abc import Iterable
from dataclasses import dataclass

from models.behavior.event_time import seconds
from models.behavior.sessions import RELATION_OF
from schemas.events import Relation, UserBehavior
from schemas.keys import shopper_id

MAX_PRODUCTS = 1024
"""The products of a basket that count, as in the stream: the first ones."""


@dataclass(frozen=True, slots=True)
class Basket:
    """The products of a session.

    Attributes:
        time: The time of its first product, in seconds since 1970.
        shopper: The shopper's id.
        products: Distinct product ids in order of entry.
        known: Whether the shopper is a known user.
    """

    time: float
    shopper: str
    products: tuple[str, ...]
    known: bool


@dataclass(slots=True)
class _Open:
    time: float
    last_at: float
    products: dict[str, None]
    known: bool


def baskets(events: Iterable[UserBehavior], relation: Relation, gap_s: float) -> list[Basket]:
    """Group events into baskets.

    A session is a shopper's events of one shop with one `session_id`; without one, the events without a
    gap longer than `gap_s`.

    Args:
        events: Events in order of time.
        relation: `viewed`, `carted` or `bought`.
        gap_s: The gap that ends a session without an id, in seconds.

    Returns:
        The baskets in order of their first product.
    """
    found: list[tuple[str, _Open]] = []
    current: dict[tuple[str, str, str | None], _Open] = {}
    for event in events:
        if event.product_id is None or RELATION_OF.get(event.action) is not relation:
            continue
        shopper, time = shopper_id(event), seconds(event.occurred_at)
        key = (event.shop_id or "", shopper, event.session_id)
        basket = current.get(key)
        if basket is None or (event.session_id is None and time - basket.last_at > gap_s):
            basket = current[key] = _Open(time, time, {}, event.user_id is not None)
            found.append((shopper, basket))
        basket.last_at = time
        basket.known = basket.known or event.user_id is not None
        if len(basket.products) < MAX_PRODUCTS:
            basket.products[event.product_id] = None
    return [Basket(each.time, shopper, tuple(each.products), each.known) for shopper, each in found]
