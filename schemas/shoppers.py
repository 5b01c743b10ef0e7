"""The event with what is known of a shopper."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from schemas.behavior import Action
from schemas.event import Event
from schemas.fields import Identifier, Probability, Timestamp


class Preference(Struct, frozen=True, kw_only=True, gc=False):
    """A shopper's preference for a tag or a category path; the scores of one list sum to at most 1."""

    name: Annotated[str, Meta(description="a tag or a category path")]
    score: Annotated[Probability, Meta(description="weight of the preference")]
    lift: Annotated[
        float | None, Meta(description="the score, divided by that of the average shopper of the shop")
    ] = None


class ShopperProduct(Struct, frozen=True, kw_only=True, gc=False):
    """A product that the shopper dealt with, by the strongest kind of action.

    A session counts once. What was returned was not bought.
    """

    product_id: Annotated[str, Meta(description="the product, as the key of product-enriched names it")]
    action: Annotated[
        Action, Meta(description="the strongest action: a purchase, else a cart action, else a view")
    ]
    count: Annotated[int, Meta(ge=0, description="in how many sessions")]
    last_at: Annotated[Timestamp, Meta(description="when the product entered the last such session")]
    score: Annotated[
        float, Meta(ge=0, description="count that halves every 240 days, to order by within an action")
    ]


class NextProduct(Struct, frozen=True, kw_only=True, gc=False):
    """A product that the shopper is likely to look at next in this session, perhaps again."""

    product_id: Annotated[str, Meta(description="the product, as the key of product-enriched names it")]
    score: Annotated[float, Meta(ge=0, description="strength, to order by within this list only")]


class Session(Struct, frozen=True, kw_only=True, gc=False):
    """The shopper's current session."""

    session_id: Annotated[str, Meta(description="id of the session")]
    started_at: Annotated[Timestamp, Meta(description="time of its first event")]
    last_at: Annotated[Timestamp, Meta(description="time of its last event")]
    events: Annotated[int, Meta(description="number of events")]
    products: Annotated[int, Meta(description="number of different products")]


class ShopperUpdated(Event, frozen=True, kw_only=True):
    """A shopper's current session, preferences and next action.

    `next_behavior` is the probability of each action as the next one in this session, and of `leave`.
    """

    topic: ClassVar[str] = "shopper-updated"
    user_id: Annotated[Identifier, Meta(description="the shopper; the record's key, in UTF-8")]
    as_of: Annotated[Timestamp, Meta(description="time of the shopper's last event")]
    session: Annotated[Session, Meta(description="the current session")]
    next_behavior: Annotated[
        dict[str, Probability], Meta(description="probability of each action as the next one, and of `leave`")
    ]
    tags: Annotated[list[Preference], Meta(description="preferred tags, best first")] = []
    categories: Annotated[list[Preference], Meta(description="preferred categories, best first")] = []
    products: Annotated[
        list[ShopperProduct], Meta(description="the shopper's products, best first, at most 50")
    ] = []
    recent_products: Annotated[
        list[str], Meta(description="the distinct products of the current session, latest first, at most 20")
    ] = []
    next_products: Annotated[
        list[NextProduct], Meta(description="products to expect next in this session, best first, at most 20")
    ] = []
