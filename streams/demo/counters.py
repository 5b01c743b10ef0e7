"""Counters of the demo: everything it knows from the records that it wrote and read."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.codec import (
    decode_affinity_updated,
    decode_enrichment_review,
    decode_product_enriched,
    decode_shopper_updated,
)
from schemas.dead_letters import MESSAGE, REASON, SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC
from schemas.events import DecisionOutcome, ProductEnriched, ShopperUpdated
from streams.demo.pairs import Pair, Pairs
from streams.demo.rates import RateCounter, RecentIds
from streams.topics import (
    AFFINITY_UPDATED,
    CATEGORY_FEEDBACK,
    DEAD_LETTER,
    ENRICHMENT_REVIEW,
    PRODUCT_CREATED,
    PRODUCT_ENRICHED,
    SHOPPER_UPDATED,
    USER_BEHAVIOR,
)

INPUTS = (PRODUCT_CREATED, USER_BEHAVIOR, CATEGORY_FEEDBACK)
OUTPUTS = (PRODUCT_ENRICHED, ENRICHMENT_REVIEW, AFFINITY_UPDATED, SHOPPER_UPDATED, DEAD_LETTER)

SHOPPERS = 5_000
"""Number of shoppers that are kept."""

Headers = Sequence[tuple[str, bytes | None]]


class ProductSummary(NamedTuple):
    """The fields of a product-enriched event that the demo shows. Texts have no control characters."""

    product_id: str
    title: str
    category: str
    confidence: float
    outcome: DecisionOutcome
    why: str
    tags: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]


class DeadLetterSummary(NamedTuple):
    """A dead letter: its source topic, reason and message."""

    topic: str
    reason: str
    message: str


@dataclass
class Correction:
    """The correction of a product's category.

    Attributes:
        product_id: Id of the product.
        sent_at: Time of sending, in seconds.
        took_s: Seconds from sending until it was published; None until then.
    """

    product_id: str
    sent_at: float
    took_s: float | None = None


class DemoCounters:
    """Counts and latest values of all records that the demo wrote and read.

    All times are seconds of one monotonic clock.

    Attributes:
        rates: Record counts by topic, for inputs and outputs.
        products: Latest enrichment of each listed product, by product id.
        pairs: Related products.
        enriched_by_source: Number of product-enriched events by source topic.
        withdrawn: Ids of withdrawn products, in order.
        tombstones: Number of tombstones by topic.
        shoppers: Latest event per shopper, by id. The `SHOPPERS` latest shoppers are kept.
        dead_letters: The latest 100 dead letters.
        dead_letters_by_topic: Number of dead letters by source topic.
        correction: The correction; None until it is sent.
        latest_product: Latest enriched product that has attributes and tags.
        review_title: Latest title that went to review.
    """

    def __init__(self) -> None:
        self.rates = {topic: RateCounter() for topic in (*INPUTS, *OUTPUTS)}
        self.products: dict[str, ProductSummary] = {}
        self.pairs = Pairs()
        self.enriched_by_source: Counter[str] = Counter()
        self.withdrawn: list[str] = []
        self.tombstones: Counter[str] = Counter()
        self.shoppers: dict[str, ShopperUpdated] = {}
        self.dead_letters: deque[DeadLetterSummary] = deque(maxlen=100)
        self.dead_letters_by_topic: Counter[str] = Counter()
        self.correction: Correction | None = None
        self.latest_product: ProductSummary | None = None
        self.review_title: str = ""
        self._recent_ids = {topic: RecentIds() for topic in OUTPUTS}

    def add_sent(self, topic: str, key: bytes | None, now: float) -> None:
        """Count a record written to an input topic.

        Args:
            topic: Input topic.
            key: Key of the record.
            now: Present time in seconds.
        """
        self.rates[topic].add(1, now)
        if topic == CATEGORY_FEEDBACK and key is not None and self.correction is None:
            self.correction = Correction(key.decode(), now)

    def add_read(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, now: float
    ) -> None:
        """Count a record read from an output topic. A record that was read before changes nothing.

        Args:
            topic: Output topic.
            key: Key of the record.
            value: Value of the record; None for a tombstone.
            headers: Headers of the record.
            now: Present time in seconds.

        Raises:
            InvalidEvent: The record breaks its contract.
        """
        if not self._recent_ids[topic].add(_identity(topic, headers)):
            return
        self.rates[topic].add(1, now)
        record_id = (key or b"").decode()
        if topic == DEAD_LETTER:
            self._add_dead_letter(headers)
        elif value is None:
            self._add_tombstone(topic, record_id)
        elif topic == PRODUCT_ENRICHED:
            self._add_enriched(decode_product_enriched(value, key), now)
        elif topic == AFFINITY_UPDATED:
            self.pairs.add(decode_affinity_updated(value, key))
        elif topic == SHOPPER_UPDATED:
            self._add_shopper(record_id, decode_shopper_updated(value, key))
        else:
            self.review_title = printable(decode_enrichment_review(value, key).title)

    def outcomes(self) -> Counter[DecisionOutcome]:
        """Return the number of listed products by outcome of the decision."""
        return Counter(product.outcome for product in self.products.values())

    def categories(self) -> Counter[str]:
        """Return the number of listed products by category path, without abstained ones."""
        return Counter(
            product.category
            for product in self.products.values()
            if product.category and product.outcome is not DecisionOutcome.ABSTAINED
        )

    def title(self, product_id: str) -> str:
        """Return a product's title; its id if nothing was published about it."""
        product = self.products.get(product_id)
        return product.title if product is not None and product.title else printable(product_id)

    def titles(self, pair: Pair) -> tuple[str, str]:
        """Return the titles of both products of a pair."""
        return self.title(pair.one), self.title(pair.other)

    def examples(self, category: str, count: int) -> list[str]:
        """Return at most `count` titles of a category, by falling confidence, without abstained ones."""
        products = [
            product
            for product in self.products.values()
            if product.category == category and product.outcome is not DecisionOutcome.ABSTAINED
        ]
        return [
            product.title
            for product in sorted(products, key=lambda product: (-product.confidence, product.title))[:count]
        ]

    def example_shopper(self) -> ShopperUpdated | None:
        """Return the shopper with the strongest preferences; sessions of 8 products or more come first."""
        return max(self.shoppers.values(), key=_preference_strength, default=None)

    def _add_enriched(self, event: ProductEnriched, now: float) -> None:
        if event.source is not None:
            self.enriched_by_source[event.source.topic] += 1
        product = _product_summary(event)
        self.products[product.product_id] = product
        if product.attributes and product.tags:
            self.latest_product = product
        correction = self.correction
        if (
            correction is not None
            and correction.took_s is None
            and product.outcome is DecisionOutcome.PERSON
            and product.product_id == correction.product_id
        ):
            correction.took_s = now - correction.sent_at

    def _add_shopper(self, shopper_id: str, event: ShopperUpdated) -> None:
        # A guest has one id per session, so with --keep-running the number of ids would grow without end.
        self.shoppers.pop(shopper_id, None)
        self.shoppers[shopper_id] = event
        if len(self.shoppers) > SHOPPERS:
            del self.shoppers[next(iter(self.shoppers))]

    def _add_tombstone(self, topic: str, product_id: str) -> None:
        self.tombstones[topic] += 1
        if topic == PRODUCT_ENRICHED:
            self.products.pop(product_id, None)
            self.withdrawn.append(product_id)
        elif topic == AFFINITY_UPDATED:
            self.pairs.remove(product_id)

    def _add_dead_letter(self, headers: Headers) -> None:
        texts = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
        letter = DeadLetterSummary(texts.get(SOURCE_TOPIC, ""), texts.get(REASON, ""), texts.get(MESSAGE, ""))
        self.dead_letters.append(DeadLetterSummary(*map(printable, letter)))
        self.dead_letters_by_topic[letter.topic] += 1


def printable(text: str) -> str:
    """Replace control characters and line ends, so that a terminal does not interpret them."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def _product_summary(event: ProductEnriched) -> ProductSummary:
    category = event.category
    return ProductSummary(
        product_id=event.product_id,
        title=printable(event.title),
        category=category.path if category is not None else "",
        confidence=category.confidence if category is not None else 0.0,
        outcome=event.decision.outcome,
        why=printable(event.decision.why),
        tags=tuple(printable(tag.name) for tag in event.tags),
        attributes=tuple((each.name, printable(each.value)) for each in event.attributes),
    )


def _preference_strength(shopper: ShopperUpdated) -> tuple[bool, float, str]:
    scores = [best[0].score for best in (shopper.tags, shopper.categories) if best]
    return shopper.session.products >= 8, sum(scores), shopper.user_id


def _identity(topic: str, headers: Headers) -> bytes:
    """Return what identifies a record: its `ce_id`; for a dead letter, its source position."""
    parts = (SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET) if topic == DEAD_LETTER else ("ce_id",)
    values = {name: value or b"" for name, value in headers if name in parts}
    return b":".join(values.get(part, b"") for part in parts)
