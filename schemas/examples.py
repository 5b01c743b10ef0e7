"""One example of each event for the documents. They follow one product through shelfstream."""

from datetime import UTC, datetime

from schemas.audit import AuditAction, AuditEntry, AuditOutcome
from schemas.events import (
    Action,
    AffinityUpdated,
    Alternative,
    Attribute,
    Category,
    CategoryFeedback,
    Decision,
    DecisionOutcome,
    Embedding,
    EnrichmentReview,
    Event,
    Evidence,
    Preference,
    Price,
    ProductCreated,
    ProductEnriched,
    Related,
    Relation,
    Session,
    ShopperUpdated,
    Source,
    Tag,
    TagSource,
    UserBehavior,
    Verdict,
)

_LISTED = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
_BOUGHT = datetime(2024, 5, 3, 18, 4, 11, tzinfo=UTC)
_TEAPOTS = Alternative(
    id=652,
    path="Home & Garden > Kitchen & Dining > Tableware > Coffee Servers & Tea Pots",
    confidence=0.93,
)
_KETTLES = Alternative(
    id=751, path="Home & Garden > Kitchen & Dining > Kitchen Appliances > Electric Kettles", confidence=0.04
)
_SOURCE = Source(topic="product-created", partition=3, offset=41)

EXAMPLES: tuple[Event, ...] = (
    ProductCreated(
        product_id="85123A",
        title="Red enamel teapot 1.2 L",
        event_id="0f8b6d0a-5b1e-4a57-9a53-2f7f0c0f6b11",
        occurred_at=_LISTED,
        description="Enamelled steel, for four cups",
        price=Price(amount=24.5, currency="GBP"),
        language="en",
        shop_id="uk",
        attributes={"material": "enamel"},
    ),
    UserBehavior(
        occurred_at=_BOUGHT,
        product_id="85123A",
        action=Action.PURCHASE,
        event_id="3f0e7c1c-2c44-4a0a-8d3b-5a0f9a1f6f02",
        user_id="17850",
        session_id="536365",
        quantity=2,
        price=Price(amount=24.5, currency="GBP"),
        shop_id="uk",
    ),
    ProductEnriched(
        product_id="85123A",
        title="Red enamel teapot 1.2 L",
        category=Category(
            id=_TEAPOTS.id,
            path=_TEAPOTS.path,
            confidence=_TEAPOTS.confidence,
            alternatives=[_TEAPOTS, _KETTLES],
        ),
        tags=[Tag(name="teapots", source=TagSource.CATEGORY, confidence=0.93)],
        attributes=[
            Attribute(
                name="colour",
                value="red",
                confidence=0.99,
                evidence=Evidence(field="title", start=0, end=3, text="Red"),
            )
        ],
        decision=Decision(outcome=DecisionOutcome.MODEL, why="0.93 is above the threshold of 0.80"),
        model_version="student-1",
        taxonomy_version="2021-09-21",
        embedding=Embedding(dimensions=4, int8="fwCBJg==", model_version="student-1"),
        source=_SOURCE,
    ),
    EnrichmentReview(
        product_id="22423",
        title="Regency 3 tier",
        why="0.41 is below the threshold of 0.80",
        model_version="student-1",
        taxonomy_version="2021-09-21",
        candidates=[
            Alternative(id=_TEAPOTS.id, path=_TEAPOTS.path, confidence=0.41),
        ],
        source=Source(topic="product-created", partition=1, offset=7),
    ),
    CategoryFeedback(
        product_id="22423",
        verdict=Verdict.CORRECT,
        category_id=4372,
        by="anna",
        event_id="a1c5f3d2-1d5f-4f6f-9f0b-7e2f8c1d0e03",
        occurred_at=_BOUGHT,
        comment="a cake stand",
    ),
    AffinityUpdated(
        product_id="85123A",
        related=[
            Related(product_id="22423", relation=Relation.BOUGHT, score=11.7, support=14),
            Related(product_id="84879", relation=Relation.SIMILAR, score=0.81, support=0),
        ],
        as_of=_BOUGHT,
        half_life_days=60.0,
    ),
    ShopperUpdated(
        user_id="17850",
        as_of=_BOUGHT,
        session=Session(session_id="536365", started_at=_LISTED, last_at=_BOUGHT, events=6, products=4),
        next_behavior={"view": 0.5, "cart": 0.2, "leave": 0.3},
        tags=[Preference(name="teapots", score=0.6)],
        categories=[Preference(name=_TEAPOTS.path, score=0.5)],
    ),
    AuditEntry(
        event_id="5b0f2a52-8d5a-4f0e-9b0c-0c3e6a7d1e04",
        occurred_at=_BOUGHT,
        action=AuditAction.REDRIVE,
        by="anna@ops-1",
        outcome=AuditOutcome.DONE,
        counts={"sent to product-created": 412},
        options={"reason": "failed"},
        because="the model directory is readable again",
        version="0.2.0",
    ),
)
"""In the order of `schemas.all_events.EVENTS`."""
