"""All events of the contract, in its order."""

from schemas.audit import AuditEntry
from schemas.events import (
    AffinityUpdated,
    CategoryFeedback,
    EnrichmentReview,
    Event,
    ProductCreated,
    ProductEnriched,
    ShopperUpdated,
    UserBehavior,
)

EVENTS: tuple[type[Event], ...] = (
    ProductCreated,
    UserBehavior,
    ProductEnriched,
    EnrichmentReview,
    CategoryFeedback,
    AffinityUpdated,
    ShopperUpdated,
    AuditEntry,
)
"""The events, in the order of the contract."""
