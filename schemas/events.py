"""The events of every topic as immutable typed structs: the contract with producers and consumers.

All times are timezone-aware UTC. Confidences and probabilities lie in [0, 1]. Unknown fields are ignored. The
codec rejects an unknown `schema_version`. Only new fields with defaults are compatible.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.behavior import Action as Action
from schemas.behavior import UserBehavior as UserBehavior
from schemas.event import Event as Event
from schemas.event import Source as Source
from schemas.fields import Identifier, Probability, Timestamp
from schemas.listings import Availability as Availability
from schemas.listings import Change as Change
from schemas.listings import IgnoredField as IgnoredField
from schemas.listings import Price as Price
from schemas.listings import ProductCreated as ProductCreated


class Alternative(Struct, frozen=True, kw_only=True, gc=False):
    """A candidate category with its Google id, full path and calibrated confidence."""

    id: int
    path: str
    confidence: Probability


class Category(Struct, frozen=True, kw_only=True):
    """The deepest level with sufficient confidence; `alternatives` are at full depth, best first."""

    id: Annotated[int, Meta(description="Google Product Taxonomy id")]
    path: Annotated[str, Meta(description="names from the root, joined by ' > '")]
    confidence: Probability
    alternatives: list[Alternative] = []


class TagSource(StrEnum):
    """The origin of a tag."""

    CATEGORY = "category"
    ATTRIBUTE = "attribute"
    PHRASE = "phrase"
    BEHAVIOR = "behavior"


class Tag(Struct, frozen=True, kw_only=True, gc=False):
    """A word of the controlled vocabulary that applies to the product."""

    name: str
    source: TagSource
    confidence: Probability


class Evidence(Struct, frozen=True, kw_only=True, gc=False):
    """The text that states an attribute: characters [start, end) of `field`, and these characters."""

    field: Literal["title", "description", "brand", "attributes", "category"]
    start: int
    end: int
    text: str


class Attribute(Struct, frozen=True, kw_only=True):
    """A normalized attribute, such as brand, color, gender, material or size, with its evidence."""

    name: str
    value: str
    confidence: Probability
    evidence: Evidence
    unit: str | None = None


class DecisionOutcome(StrEnum):
    """Who decided the category: the model, a person, the shop in its listing, or nobody yet."""

    MODEL = "model"
    SHOP = "shop"
    PERSON = "person"
    ABSTAINED = "abstained"


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """Who decided the category, and why. If `abstained`, the category is a guess for review."""

    outcome: DecisionOutcome
    why: str


class Embedding(Struct, frozen=True, kw_only=True, gc=False):
    """The quantized embedding of the product's text.

    `int8` is the base64 of `dimensions` signed bytes, proportional to the unit vector. Compare embeddings by
    cosine, and only embeddings with the same `model_version`.
    """

    dimensions: int
    int8: str
    model_version: str


class ProductEnriched(Event, frozen=True, kw_only=True):
    """The current enrichment of a product, from the `listing` of `listed_at`. A null value withdraws it.

    `language` is the listing's own, or the detected one. The fields from `shop_id` on are the listing's.
    """

    topic: ClassVar[str] = "product-enriched"
    product_id: Identifier
    decision: Decision
    model_version: str
    taxonomy_version: str
    category: Category | None = None
    tags: list[Tag] = []
    attributes: list[Attribute] = []
    embedding: Embedding | None = None
    title: str = ""
    source: Source | None = None
    listing: Source | None = None
    listed_at: Timestamp | None = None
    language: str | None = None
    ignored_fields: Annotated[
        list[IgnoredField], Meta(description="optional fields of the listing that broke the contract")
    ] = []
    shop_id: str | None = None
    group_id: str | None = None
    sku: str | None = None
    gtin: str | None = None
    shop_category: str | None = None
    url: str | None = None
    image_url: str | None = None
    images: list[str] = []
    price: Price | None = None
    sale_price: Price | None = None
    availability: Availability | None = None
    seller: str | None = None


class EnrichmentReview(Event, frozen=True, kw_only=True):
    """A product for which the model abstained, with the reason and the candidate categories."""

    topic: ClassVar[str] = "enrichment-review"
    product_id: Identifier
    title: str
    why: str
    model_version: str
    taxonomy_version: str
    candidates: list[Alternative] = []
    source: Source | None = None
    language: str | None = None
    shop_id: str | None = None
    url: str | None = None
    image_url: str | None = None


class Verdict(StrEnum):
    """A person's verdict on a category."""

    ACCEPT = "accept"
    CORRECT = "correct"


class CategoryFeedback(Event, frozen=True, kw_only=True):
    """A person accepted the published category, or corrected it to `category_id`."""

    topic: ClassVar[str] = "category-feedback"
    product_id: Identifier
    verdict: Verdict
    category_id: Annotated[int | None, Meta(description="Google id; required for `correct`")] = None
    by: str = ""
    event_id: Identifier | None = None
    occurred_at: Timestamp | None = None
    comment: str = ""


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

    product_id: str
    relation: Relation
    score: float
    support: Annotated[int, Meta(ge=0)]


class AffinityUpdated(Event, frozen=True, kw_only=True):
    """The related products of a product, best first: relations by behavior before `similar`, then by score.

    `as_of` is the event time to which scores are decayed; without behavior, the time of the listing. A null
    Kafka value withdraws the product.
    """

    topic: ClassVar[str] = "affinity-updated"
    product_id: Identifier
    related: list[Related]
    as_of: Timestamp
    half_life_days: float


class Preference(Struct, frozen=True, kw_only=True, gc=False):
    """A shopper's preference for a tag or a category path; the scores of one list sum to at most 1."""

    name: str
    score: Probability


class Session(Struct, frozen=True, kw_only=True, gc=False):
    """The shopper's current session."""

    session_id: str
    started_at: Timestamp
    last_at: Timestamp
    events: int
    products: int


class ShopperUpdated(Event, frozen=True, kw_only=True):
    """A shopper's current session, preferences and next action.

    `next_behavior` is the probability of each action as the next one in this session, and of `leave`.
    """

    topic: ClassVar[str] = "shopper-updated"
    user_id: Identifier
    as_of: Timestamp
    session: Session
    next_behavior: dict[str, Probability]
    tags: list[Preference] = []
    categories: list[Preference] = []
