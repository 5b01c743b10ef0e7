"""The event with the related products of a product."""

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from schemas.event import Event
from schemas.fields import Identifier, Timestamp


class Relation(StrEnum):
    """How two products are related."""

    VIEWED = "viewed"
    CARTED = "carted"
    BOUGHT = "bought"
    SIMILAR = "similar"


class Related(Struct, frozen=True, kw_only=True, gc=False):
    """A related product.

    For `viewed`, `carted` and `bought`, `score` is the decayed number of sessions that contain both products
    (half-life in the event), and `support` is the number without decay. For `similar`, `score` is the cosine
    of the texts' embeddings and `support` is 0.
    """

    product_id: Annotated[str, Meta(description="the related product")]
    relation: Annotated[Relation, Meta(description="how the products are related")]
    score: Annotated[float, Meta(description="strength, to order by within a relation")]
    support: Annotated[int, Meta(ge=0, description="number of sessions with both products")]


class Recommended(Struct, frozen=True, kw_only=True, gc=False):
    """A product to show beside another one, by all that is known of both."""

    product_id: Annotated[str, Meta(description="the recommended product")]
    score: Annotated[float, Meta(ge=0, description="strength, to order by within this list only")]


class AffinityUpdated(Event, frozen=True, kw_only=True):
    """The related products of a product, best first: relations by behavior before `similar`, then by score.

    `as_of` is the event time to which scores are decayed; without behavior, the time of the listing. A null
    Kafka value withdraws the product.
    """

    topic: ClassVar[str] = "affinity-updated"
    product_id: Annotated[Identifier, Meta(description="the product; the record's key, in UTF-8")]
    related: Annotated[list[Related], Meta(description="related products, best first")]
    as_of: Annotated[Timestamp, Meta(description="time to which the scores are decayed")]
    half_life_days: Annotated[float, Meta(description="days after which a session counts half")]
    shop_id: Annotated[
        str | None, Meta(description="the shop of all these products, where each shop has ids of its own")
    ] = None
    sessions: Annotated[
        dict[str, float],
        Meta(description="by relation: decayed number of sessions with this product, alone or with others"),
    ] = {}
    recommended: Annotated[
        list[Recommended], Meta(description="one list of products to show beside this one, best first")
    ] = []
