"""The events of every topic, as immutable typed structures: the contract with the neighbours.

All times are timezone-aware UTC, all confidences and probabilities lie in [0, 1]. Unknown fields are
tolerated everywhere, so that a producer may add some before we know them; an unknown `schema_version`
is refused by the codec. Only additions with defaults are backward compatible; a test holds us to it.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.fields import Currency, Identifier, Probability, Quantity, Timestamp, Version


class Event(Struct, frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """What every event shares. `topic` names the topic that carries it and its CloudEvents type."""

    topic: ClassVar[str] = ""
    schema_version: Annotated[Version, Meta(description="the contract's version")] = 1


class Price(Struct, frozen=True, kw_only=True, gc=False):
    """What a listing costs, or was sold for. `currency` is an ISO 4217 code."""

    amount: Annotated[float, Meta(ge=0.0)]
    currency: Currency = "USD"


class Change(StrEnum):
    """What happened to a listing."""

    CREATED = "created"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


class ProductCreated(Event, frozen=True, kw_only=True):
    """A listing was created, changed or withdrawn. A null Kafka value (a tombstone) withdraws too.

    `title` may be empty, and may be left out of a withdrawal only.
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
    """What a shopper did."""

    VIEW = "view"
    CLICK = "click"
    CART = "cart"
    FAVOURITE = "favourite"
    PURCHASE = "purchase"
    RETURN = "return"


class UserBehavior(Event, frozen=True, kw_only=True):
    """A shopper did something with a product. One of `user_id` and `session_id` must be there."""

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
    """One candidate category: its Google id, full path and calibrated confidence."""

    id: int
    path: str
    confidence: Probability


class Category(Struct, frozen=True, kw_only=True):
    """The deepest level that is sure enough; `alternatives` are at full depth, the best first."""

    id: Annotated[int, Meta(description="Google Product Taxonomy id")]
    path: Annotated[str, Meta(description="names from the root, joined by ' > '")]
    confidence: Probability
    alternatives: list[Alternative] = []


class TagSource(StrEnum):
    """Where a tag comes from."""

    CATEGORY = "category"
    ATTRIBUTE = "attribute"
    PHRASE = "phrase"
    BEHAVIOR = "behavior"


class Tag(Struct, frozen=True, kw_only=True, gc=False):
    """A name of the controlled vocabulary."""

    name: str
    source: TagSource
    confidence: Probability


class Evidence(Struct, frozen=True, kw_only=True, gc=False):
    """Where the text says so: characters [start, end) of `field`, and the text found there."""

    field: Literal["title", "description", "brand", "attributes", "category"]
    start: int
    end: int
    text: str


class Attribute(Struct, frozen=True, kw_only=True):
    """A normalised property, such as brand, colour, gender, material or size, with its evidence."""

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
    """Who decided and why, in a sentence. When `abstained`, the category is a guess for review."""

    outcome: DecisionOutcome
    why: str


class Embedding(Struct, frozen=True, kw_only=True, gc=False):
    """The text's direction in the model's space, quantized.

    `int8` is base64 of `dimensions` signed bytes, proportional to the unit vector; compare by cosine, and
    only vectors with the same `model_version`.
    """

    dimensions: int
    int8: str
    model_version: str


class Source(Struct, frozen=True, kw_only=True, gc=False):
    """The record that an output derives from."""

    topic: str
    partition: int
    offset: int


class ProductEnriched(Event, frozen=True, kw_only=True):
    """What shelfstream knows of a product now. A null Kafka value says that it was withdrawn."""

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


class EnrichmentReview(Event, frozen=True, kw_only=True):
    """What the model would not decide alone, and why, with its candidates for a person to choose from."""

    topic: ClassVar[str] = "enrichment-review"
    product_id: Identifier
    title: str
    why: str
    model_version: str
    taxonomy_version: str
    candidates: list[Alternative] = []
    source: Source | None = None


class Verdict(StrEnum):
    """A person's word on a category."""

    ACCEPT = "accept"
    CORRECT = "correct"


class CategoryFeedback(Event, frozen=True, kw_only=True):
    """A person accepts the published category, or corrects it to `category_id`."""

    topic: ClassVar[str] = "category-feedback"
    product_id: Identifier
    verdict: Verdict
    category_id: Annotated[int | None, Meta(description="required to `correct`: a Google id")] = None
    by: str = ""
    event_id: Identifier | None = None
    occurred_at: Timestamp | None = None
    comment: str = ""


class Relation(StrEnum):
    """How two products belong together."""

    VIEWED = "viewed"
    CARTED = "carted"
    BOUGHT = "bought"
    SIMILAR = "similar"


class Related(Struct, frozen=True, kw_only=True, gc=False):
    """A related product.

    For the behavioural relations `score` is the number of sessions that held both, each decayed by its age
    (half-life in the event), and `support` the undecayed number of sessions. For `similar`, `score` is
    the cosine of the texts and `support` is 0.
    """

    product_id: str
    relation: Relation
    score: float
    support: Annotated[int, Meta(ge=0)]


class AffinityUpdated(Event, frozen=True, kw_only=True):
    """A product's related products, best first: behaviour before similarity, then by score.

    `as_of` is the event time to which scores are decayed. A null Kafka value says: withdrawn.
    """

    topic: ClassVar[str] = "affinity-updated"
    product_id: Identifier
    related: list[Related]
    as_of: Timestamp
    half_life_days: float


class Preference(Struct, frozen=True, kw_only=True, gc=False):
    """A shopper's taste for a tag or a category path; the scores of one list sum to at most 1."""

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
    """What a shopper likes and will probably do next.

    `next_behavior` gives the probability of each action as the next one in this session, and of `leave`.
    """

    topic: ClassVar[str] = "shopper-updated"
    user_id: Identifier
    as_of: Timestamp
    session: Session
    next_behavior: dict[str, Probability]
    tags: list[Preference] = []
    categories: list[Preference] = []


EVENTS: tuple[type[Event], ...] = (
    ProductCreated,
    UserBehavior,
    ProductEnriched,
    EnrichmentReview,
    CategoryFeedback,
    AffinityUpdated,
    ShopperUpdated,
)
