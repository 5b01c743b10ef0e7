"""Output records as a worker writes them, for tests of the demo."""

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
from streams.demo.counters import Tally

NOON = datetime(2010, 12, 1, 12, tzinfo=UTC)


class Outputs:
    """Feeds a tally with output records, each with an identity of its own."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._count = 0

    def send(self, event: Event, key: str, now: float = 0.0, event_id: str | None = None) -> None:
        """An event; the same `event_id` again is the same record read twice."""
        self._count += 1
        headers = [("ce_id", (event_id or f"id-{self._count}").encode())]
        self.tally.read(event.topic, key.encode(), encode(event), headers, now)

    def tombstone(self, topic: str, key: str, now: float = 0.0) -> None:
        """A withdrawal."""
        self._count += 1
        self.tally.read(topic, key.encode(), None, [("ce_id", f"id-{self._count}".encode())], now)

    def dead(self, topic: str, reason: str, offset: int = 0, message: str = "it is broken") -> None:
        """A dead letter of a record of `topic`."""
        source = Source(topic=topic, partition=0, offset=offset)
        error = InvalidEvent(reason, message, None)
        headers = dead_letter_headers(error, source=source, stage="decode", attempt=1, group="demo")
        self.tally.read("dead-letter", b"key", b"{", headers, 0.0)


def enriched(
    product: str,
    title: str = "RED MUG",
    category: str = "Home & Garden > Kitchen > Mugs",
    outcome: DecisionOutcome = DecisionOutcome.MODEL,
    source: str = "product-created",
) -> ProductEnriched:
    """What is known of a product."""
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
    """A question to a person."""
    return EnrichmentReview(
        product_id=product, title=title, why="for a test", model_version="m", taxonomy_version="t"
    )


def affinity(
    product: str, other: str, score: float, support: int, relation: Relation = Relation.BOUGHT
) -> AffinityUpdated:
    """A product with one related product."""
    return AffinityUpdated(
        product_id=product,
        related=[Related(product_id=other, relation=relation, score=score, support=support)],
        as_of=NOON,
        half_life_days=60.0,
    )


def shopper(user: str) -> ShopperUpdated:
    """A shopper."""
    return ShopperUpdated(
        user_id=user,
        as_of=NOON,
        session=Session(session_id="s", started_at=NOON, last_at=NOON, events=9, products=8),
        next_behavior={"view": 0.75, "leave": 0.25},
    )
