"""Output records of a worker, for tests of the demo."""

from datetime import UTC, datetime

from schemas.codec import encode
from schemas.dead_letters import dead_letter_headers
from schemas.errors import InvalidEvent
from schemas.events import (
    AffinityUpdated,
    Attribute,
    Category,
    Decision,
    DecisionOutcome,
    EnrichmentReview,
    Event,
    Evidence,
    ProductEnriched,
    Related,
    Relation,
    Session,
    ShopperUpdated,
    Source,
    Tag,
    TagSource,
)
from streams.demo.counters import DemoCounters

NOON = datetime(2010, 12, 1, 12, tzinfo=UTC)


class Outputs:
    """Adds output records to counters, each with its own id."""

    def __init__(self, counters: DemoCounters) -> None:
        self.counters = counters
        self._count = 0

    def send(self, event: Event, key: str, now: float = 0.0, event_id: str | None = None) -> None:
        """Add an event. The same `event_id` stands for the same record, read twice."""
        self._count += 1
        headers = [("ce_id", (event_id or f"id-{self._count}").encode())]
        self.counters.add_read(event.topic, key.encode(), encode(event), headers, now)

    def tombstone(self, topic: str, key: str, now: float = 0.0) -> None:
        """Add a tombstone."""
        self._count += 1
        self.counters.add_read(topic, key.encode(), None, [("ce_id", f"id-{self._count}".encode())], now)

    def dead(self, topic: str, reason: str, offset: int = 0, message: str = "it is broken") -> None:
        """Add a dead letter of a record of `topic`."""
        source = Source(topic=topic, partition=0, offset=offset)
        error = InvalidEvent(reason, message, None)
        headers = dead_letter_headers(error, source=source, stage="decode", attempt=1, group="demo")
        self.counters.add_read("dead-letter", b"key", b"{", headers, 0.0)


def enriched(
    product: str,
    title: str = "RED MUG",
    category: str = "Home & Garden > Kitchen > Mugs",
    outcome: DecisionOutcome = DecisionOutcome.MODEL,
    source: str = "product-created",
) -> ProductEnriched:
    """Return a product-enriched event."""
    return ProductEnriched(
        product_id=product,
        decision=Decision(outcome=outcome, why="for a test"),
        model_version="m",
        taxonomy_version="t",
        category=Category(id=1, path=category, confidence=0.75),
        tags=[Tag(name="red", source=TagSource.PHRASE, confidence=1.0)],
        attributes=[
            Attribute(
                name="colour",
                value="red",
                confidence=1.0,
                evidence=Evidence(field="title", start=0, end=3, text="RED"),
            )
        ],
        title=title,
        source=Source(topic=source, partition=0, offset=0),
    )


def review(product: str, title: str = "RED MUG") -> EnrichmentReview:
    """Return an enrichment-review event."""
    return EnrichmentReview(
        product_id=product, title=title, why="for a test", model_version="m", taxonomy_version="t"
    )


def affinity(
    product: str, other: str, score: float, support: int, relation: Relation = Relation.BOUGHT
) -> AffinityUpdated:
    """Return an affinity-updated event with one related product."""
    return AffinityUpdated(
        product_id=product,
        related=[Related(product_id=other, relation=relation, score=score, support=support)],
        as_of=NOON,
        half_life_days=60.0,
    )


def shopper(user: str) -> ShopperUpdated:
    """Return a shopper-updated event."""
    return ShopperUpdated(
        user_id=user,
        as_of=NOON,
        session=Session(session_id="s", started_at=NOON, last_at=NOON, events=9, products=8),
        next_behavior={"view": 0.75, "leave": 0.25},
    )
