"""The event of a shop's front end: a shopper's action, as it is written to user-behavior."""

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.event import Event
from schemas.fields import Identifier, Quantity, Timestamp
from schemas.listings import Price


class Action(StrEnum):
    """A shopper's action.

    `remove_from_cart` takes back what `cart` added to the shopper's taste. `impression` (shown, not chosen)
    and `search` count in the session only. `identify` says which user a guest is. `search` and `identify`
    need no product.
    """

    VIEW = "view"
    CLICK = "click"
    CART = "cart"
    FAVORITE = "favourite"
    PURCHASE = "purchase"
    RETURN = "return"
    REMOVE_FROM_CART = "remove_from_cart"
    IMPRESSION = "impression"
    SEARCH = "search"
    IDENTIFY = "identify"


WITHOUT_PRODUCT = frozenset({Action.SEARCH, Action.IDENTIFY})
"""The actions that need no product."""


class UserBehavior(Event, frozen=True, kw_only=True):
    """A shopper's action. One of `user_id`, `anonymous_id` and `session_id` is required."""

    topic: ClassVar[str] = "user-behavior"
    occurred_at: Annotated[Timestamp, Meta(description="when the shopper acted")]
    product_id: Annotated[
        Identifier | None, Meta(description="the product; `search` and `identify` need none")
    ] = None
    action: Annotated[Action, Meta(description="what the shopper did")]
    event_id: Annotated[Identifier | None, Meta(description="id of the event")] = None
    user_id: Annotated[Identifier | None, Meta(description="the shopper; the record's key, in UTF-8")] = None
    session_id: Annotated[
        Identifier | None, Meta(description="the visit; the key of a guest without an anonymous_id")
    ] = None
    quantity: Quantity = 1
    price: Annotated[Price | None, Meta(description="the price of one unit")] = None
    shop_id: Annotated[str | None, Meta(description="the shop, where several shops share a deployment")] = (
        None
    )
    anonymous_id: Annotated[
        Identifier | None, Meta(description="the guest, as the shop's front end names a browser or device")
    ] = None
    query: Annotated[str | None, Meta(description="the words of a search")] = None
