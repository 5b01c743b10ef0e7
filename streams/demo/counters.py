"""What the demo has seen in the output topics: a state machine fed with records and the time."""

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
from streams.demo.rates import Rhythm, Seen
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
"""How many shoppers are remembered."""

Headers = Sequence[tuple[str, bytes | None]]


class Card(NamedTuple):
    """What is known of a product, ready to be shown."""

    product_id: str
    title: str
    category: str
    confidence: float
    outcome: DecisionOutcome
    why: str
    tags: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]


class DeadLetter(NamedTuple):
    """A record that could not be processed: from which topic, why in a word, and in a sentence."""

    topic: str
    reason: str
    message: str


@dataclass
class Correction:
    """A person's word on a product, and how long it took to be published, in seconds."""

    product_id: str
    sent_at: float
    took_s: float | None = None


class Tally:
    """Everything seen so far. All times are seconds of one clock that never goes back.

    Attributes:
        flow: records by topic, those sent and those read.
        cards: listed products as published last, by id.
        pairs: related products.
        enriched_from: events of product-enriched by the topic that they derive from.
        withdrawn: ids of withdrawn products, in order.
        shoppers: shoppers' latest events, by id; the `SHOPPERS` that were heard of last.
        dead: dead letters, the latest 100.
        dead_from: dead letters by source topic.
        correction: the person's word, once one was sent.
        latest: the product enriched last that has attributes to show.
        question: the latest title that a person was asked about.
    """

    def __init__(self) -> None:
        self.flow = {topic: Rhythm() for topic in (*INPUTS, *OUTPUTS)}
        self.cards: dict[str, Card] = {}
        self.pairs = Pairs()
        self.enriched_from: Counter[str] = Counter()
        self.withdrawn: list[str] = []
        self.tombstones: Counter[str] = Counter()
        self.shoppers: dict[str, ShopperUpdated] = {}
        self.dead: deque[DeadLetter] = deque(maxlen=100)
        self.dead_from: Counter[str] = Counter()
        self.correction: Correction | None = None
        self.latest: Card | None = None
        self.question: str = ""
        self._seen = {topic: Seen() for topic in OUTPUTS}

    def sent(self, topic: str, key: bytes | None, now: float) -> None:
        """A record was written to an input topic."""
        self.flow[topic].add(1, now)
        if topic == CATEGORY_FEEDBACK and key is not None and self.correction is None:
            self.correction = Correction(key.decode(), now)

    def read(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, now: float) -> None:
        """A record was read from an output topic; one that was read before changes nothing.

        Raises:
            InvalidEvent: the record breaks its contract.
        """
        if not self._seen[topic].is_new(_identity(topic, headers)):
            return
        self.flow[topic].add(1, now)
        name = (key or b"").decode()
        if topic == DEAD_LETTER:
            self._dead(headers)
        elif value is None:
            self._withdraw(topic, name)
        elif topic == PRODUCT_ENRICHED:
            self._enriched(decode_product_enriched(value, key), now)
        elif topic == AFFINITY_UPDATED:
            self.pairs.updated(decode_affinity_updated(value, key))
        elif topic == SHOPPER_UPDATED:
            self._shopped(name, decode_shopper_updated(value, key))
        else:
            self.question = printable(decode_enrichment_review(value, key).title)

    def outcomes(self) -> Counter[DecisionOutcome]:
        """Listed products by who decided their category."""
        return Counter(card.outcome for card in self.cards.values())

    def categories(self) -> Counter[str]:
        """Listed products by category, those that somebody decided."""
        return Counter(
            card.category
            for card in self.cards.values()
            if card.category and card.outcome is not DecisionOutcome.ABSTAINED
        )

    def title(self, product_id: str) -> str:
        """The product's title; its id while nothing was published of it."""
        card = self.cards.get(product_id)
        return card.title if card is not None and card.title else printable(product_id)

    def titles(self, pair: Pair) -> tuple[str, str]:
        """The titles of both products."""
        return self.title(pair.one), self.title(pair.other)

    def examples(self, category: str, count: int) -> list[str]:
        """Titles of `count` products of a category that somebody decided, the surest first."""
        cards = [
            card
            for card in self.cards.values()
            if card.category == category and card.outcome is not DecisionOutcome.ABSTAINED
        ]
        return [card.title for card in sorted(cards, key=lambda card: (-card.confidence, card.title))[:count]]

    def shopper(self) -> ShopperUpdated | None:
        """A shopper with a basket of some size and a taste as clear as can be; None if there is nobody."""
        return max(self.shoppers.values(), key=_clarity, default=None)

    def _enriched(self, event: ProductEnriched, now: float) -> None:
        if event.source is not None:
            self.enriched_from[event.source.topic] += 1
        card = _card(event)
        self.cards[card.product_id] = card
        if card.attributes and card.tags:
            self.latest = card
        waiting = self.correction
        if (
            waiting is not None
            and waiting.took_s is None
            and card.outcome is DecisionOutcome.PERSON
            and card.product_id == waiting.product_id
        ):
            waiting.took_s = now - waiting.sent_at

    def _shopped(self, shopper_id: str, event: ShopperUpdated) -> None:
        # Guests have an id for each session: a demo that keeps running meets new ones for ever.
        self.shoppers.pop(shopper_id, None)
        self.shoppers[shopper_id] = event
        if len(self.shoppers) > SHOPPERS:
            del self.shoppers[next(iter(self.shoppers))]

    def _withdraw(self, topic: str, product_id: str) -> None:
        self.tombstones[topic] += 1
        if topic == PRODUCT_ENRICHED:
            self.cards.pop(product_id, None)
            self.withdrawn.append(product_id)
        elif topic == AFFINITY_UPDATED:
            self.pairs.withdrawn(product_id)

    def _dead(self, headers: Headers) -> None:
        texts = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
        letter = DeadLetter(texts.get(SOURCE_TOPIC, ""), texts.get(REASON, ""), texts.get(MESSAGE, ""))
        self.dead.append(DeadLetter(*map(printable, letter)))
        self.dead_from[letter.topic] += 1


def printable(text: str) -> str:
    """The text without what a terminal would take for a command or a line's end."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def _card(event: ProductEnriched) -> Card:
    category = event.category
    return Card(
        product_id=event.product_id,
        title=printable(event.title),
        category=category.path if category is not None else "",
        confidence=category.confidence if category is not None else 0.0,
        outcome=event.decision.outcome,
        why=printable(event.decision.why),
        tags=tuple(printable(tag.name) for tag in event.tags),
        attributes=tuple((each.name, printable(each.value)) for each in event.attributes),
    )


def _clarity(shopper: ShopperUpdated) -> tuple[bool, float, str]:
    strengths = [best[0].score for best in (shopper.tags, shopper.categories) if best]
    return shopper.session.products >= 8, sum(strengths), shopper.user_id


def _identity(topic: str, headers: Headers) -> bytes:
    """What makes the record itself: its `ce_id`, or for a dead letter where it came from."""
    parts = (SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET) if topic == DEAD_LETTER else ("ce_id",)
    found = {name: value or b"" for name, value in headers if name in parts}
    return b":".join(found.get(part, b"") for part in parts)
