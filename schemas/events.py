"""The events of every topic as immutable typed structs: the contract with producers and consumers.

All times are timezone-aware UTC. Confidences and probabilities lie in [0, 1]. Unknown fields are ignored. The
codec rejects an unknown `schema_version`. Only new fields with defaults are compatible.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.fields import Currency, Identifier, Probability, Quantity, Timestamp, Version


class Event(Struct, frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """The base class of all events. `topic` is the event's topic and part of its CloudEvents type."""

    topic: ClassVar[str] = ""
    schema_version: Annotated[Version, Meta(description="version of the contract")] = 1


class Price(Struct, frozen=True, kw_only=True, gc=False):
    """The price of a listing, or of a sale. `currency` is an ISO 4217 code."""

    amount: Annotated[float, Meta(ge=0.0)]
    currency: Currency = "USD"


class Change(StrEnum):
    """The kind of a listing's change."""

    CREATED = "created"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


class ProductCreated(Event, frozen=True, kw_only=True):
    """A listing was created, changed or withdrawn. A null Kafka value (a tombstone) also withdraws it.

    `title` may be empty. Only a withdrawal may omit it.
    """

    topic: ClassVar[str] = "product-created"
    product_id: Identifier
    title: str = ""
    event_id: Identifier | None = None
    occurred_at: Timestamp | None = None
    change: Change = Change.CREATED
    description: str = ""
    brand: str | None = None
    price: Price | None = None
    language: str | None = None
    shop_id: str | None = None
    image_url: str | None = None
    attributes: dict[str, str] = {}


class Action(StrEnum):
    """A shopper's action."""

    VIEW = "view"
    CLICK = "click"
    CART = "cart"
    FAVORITE = "favourite"
    PURCHASE = "purchase"
    RETURN = "return"


class UserBehavior(Event, frozen=True, kw_only=True):
    """A shopper's action on a product. One of `user_id` and `session_id` is required."""

    topic: ClassVar[str] = "user-behavior"
    occurred_at: Timestamp
    product_id: Identifier
    action: Action
    event_id: Identifier | None = None
    user_id: Identifier | None = None
    session_id: Identifier | None = None
    quantity: Quantity = 1
    price: Price | None = None
    shop_id: str | None = None


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
    """Who decided the category: the model, a person, or nobody yet."""

    MODEL = "model"
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


class Source(Struct, frozen=True, kw_only=True, gc=False):
    """The position of the record that an output was computed from."""

    topic: str
    partition: int
    offset: int


class ProductEnriched(Event, frozen=True, kw_only=True):
    """The current enrichment of a product, from the `listing` of `listed_at`. A null value withdraws it."""

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

    `as_of` is the event time to which scores are decayed. A null Kafka value withdraws the product.
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
