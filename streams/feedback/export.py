"""From people's words in Kafka to lines that a model learns from: reading, joining, and who said it."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from confluent_kafka import Consumer

from models.attributes.extractor import attributes_text
from models.enrichment.enricher import TITLE_CHARACTERS
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.training.data.corpus import language_of
from models.training.data.feedback_lines import FeedbackLine
from schemas.codec import decode_product_created, decode_product_enriched
from schemas.errors import InvalidEvent
from schemas.events import Change, DecisionOutcome, ProductCreated, ProductEnriched
from streams.feedback.history import FeedbackEntry, FeedbackHistory
from streams.records import Record
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange, resolve
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.settings import Settings
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, PRODUCT_ENRICHED

_PSEUDONYM = 16


@dataclass
class Product:
    """What the topics say of a product on which a person spoke.

    Attributes:
        answer: What was published in answer to the person's last word; None where that is gone or to come.
        published: What was published last; None where nothing was, or a withdrawal.
        withdrawn: Whether a withdrawal was published last.
        listing: What its seller said last; None where that is gone.
    """

    answer: ProductEnriched | None = None
    published: ProductEnriched | None = None
    withdrawn: bool = False
    listing: ProductCreated | None = None
    _listed: tuple[int, int] = (-1, -1)

    def publish(self, event: ProductEnriched | None, word: FeedbackEntry) -> None:
        """Take in the next record of product-enriched; None is a tombstone."""
        self.published, self.withdrawn = event, event is None
        if event is not None and event.source == word.source:
            self.answer = event

    def list(self, event: ProductCreated, record: Record) -> None:
        """Take in a record of product-created: the later one holds, between partitions by time."""
        place = (record.timestamp, record.partition)
        if self._listed[1] == record.partition or place > self._listed:
            self.listing, self._listed = event, place


def pseudonym(name: str, salt: bytes) -> str:
    """A name that stands for a person and gives no way back without the salt; empty for an empty name.

    The first 16 hexadecimal digits of HMAC-SHA256 (RFC 2104), keyed by the salt.
    """
    return hmac.new(salt, name.encode(), hashlib.sha256).hexdigest()[:_PSEUDONYM] if name else ""


def lines_of(
    words: Mapping[str, FeedbackEntry],
    products: Mapping[str, Product],
    taxonomy: Taxonomy,
    who: Callable[[str], str],
) -> tuple[list[FeedbackLine], Counter[str]]:
    """What can be learnt from people's last words, and why not from the others.

    Args:
        words: By product.
        products: What is known of each of them.
        taxonomy: The tree of the words' categories.
        who: What stands for a person's name.
    """
    lines: list[FeedbackLine] = []
    left_out: Counter[str] = Counter()
    for product_id, word in words.items():
        product = products[product_id]
        category_id = _category(word, product)
        title = _title(product)
        if product.withdrawn:
            left_out["the product was withdrawn"] += 1
        elif category_id is None or category_id not in taxonomy:
            left_out["what was accepted is not known (yet, or any more)"] += 1
        elif not (text := clean(title)):
            left_out["the product has no title"] += 1
        else:
            lines.append(_line(word, product, text, category_id, taxonomy, who))
    return lines, left_out


def _category(word: FeedbackEntry, product: Product) -> int | None:
    """The category that the person named, or the one of the decision that came of the word."""
    if word.event.category_id is not None:
        return word.event.category_id
    for event in (product.answer, product.published):
        if event is not None and event.category is not None:
            return event.category.id if event.decision.outcome is DecisionOutcome.PERSON else None
    return None


def _title(product: Product) -> str:
    """The title that the person saw, if that is still known; else the latest."""
    known = product.answer or product.published
    title = known.title if known is not None else ""
    listed = product.listing.title if product.listing is not None else ""
    # What is published is cut; what was listed is not.
    return listed if not title or listed[:TITLE_CHARACTERS] == title else title


def _line(
    word: FeedbackEntry,
    product: Product,
    text: str,
    category_id: int,
    taxonomy: Taxonomy,
    who: Callable[[str], str],
) -> FeedbackLine:
    event, listing = word.event, product.listing
    when = event.occurred_at
    if when is None and word.timestamp >= 0:
        when = datetime.fromtimestamp(word.timestamp / 1000, UTC)
    same = listing is not None and clean(listing.title) == text
    attributes = clean(attributes_text(listing.attributes)) if listing is not None and same else ""
    return FeedbackLine(
        product_id=event.product_id,
        text=text,
        category_id=category_id,
        taxonomy_version=taxonomy.version,
        verdict=event.verdict,
        who=who(event.by),
        occurred_at=when,
        source=word.source,
        model_version=product.answer.model_version if product.answer is not None else "",
        attributes=attributes,
        language=language_of(text),
        shop_id=listing.shop_id if listing is not None else None,
    )


class Ranges(NamedTuple):
    """What an export reads: the offsets of each topic."""

    words: list[OffsetRange]
    published: list[OffsetRange]
    listed: list[OffsetRange]

    @property
    def products(self) -> int:
        """How many records the two topics on products may have at most."""
        return sum(each.offsets for each in [*self.published, *self.listed])


class FeedbackExport:
    """Reads what people said and what it was about, over a connection of its own; a context manager.

    Only committed records are read, and nothing is written or committed.

    Args:
        settings: where Kafka is.
        words: takes in what people said.
    """

    def __init__(self, settings: Settings, words: FeedbackHistory) -> None:
        self._settings = settings
        self.words = words
        self._consumer: Consumer = open_consumer(settings, f"{settings.app_id}-feedback-export")

    def __enter__(self) -> "FeedbackExport":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def ranges(self, begin: Position = START) -> Ranges:
        """The offsets to read, as of now: words from `begin`, and all that is known of products.

        Raises:
            StopWorker: a topic does not exist.
            RetryLater: the broker is away.
        """
        # Words first: what came of them is then behind the ends of the other topics, once it was worked on.
        return Ranges(
            resolve(self._consumer, self._settings, CATEGORY_FEEDBACK, begin, END),
            resolve(self._consumer, self._settings, PRODUCT_ENRICHED, START, END),
            resolve(self._consumer, self._settings, PRODUCT_CREATED, START, END),
        )

    def read_words(
        self, ranges: Ranges, on_progress: Callable[[int], None] = lambda records: None
    ) -> dict[str, FeedbackEntry]:
        """The last word on each product. `on_progress` hears of records once they are read."""
        for records in read_ranges(self._consumer, self._settings, CATEGORY_FEEDBACK, ranges.words):
            for record in records:
                self.words.add(record)
            on_progress(len(records))
        return self.words.last()

    def read_products(
        self,
        ranges: Ranges,
        words: Mapping[str, FeedbackEntry],
        on_progress: Callable[[int], None] = lambda records: None,
    ) -> dict[str, Product]:
        """What is known of the products on which people spoke."""
        products = {product_id: Product() for product_id in words}
        for topic, each, take in (
            (PRODUCT_ENRICHED, ranges.published, _take_published),
            (PRODUCT_CREATED, ranges.listed, _take_listed),
        ):
            for records in read_ranges(self._consumer, self._settings, topic, each):
                for record in records:
                    take(record, products, words)
                on_progress(len(records))
        return products


def _take_published(
    record: Record, products: Mapping[str, Product], words: Mapping[str, FeedbackEntry]
) -> None:
    product_id = (record.key or b"").decode("utf-8", "replace")
    product = products.get(product_id)
    if product is None:
        return
    try:
        event = decode_product_enriched(record.value, record.key) if record.value is not None else None
    except InvalidEvent:
        return  # not ours, as for the agent
    product.publish(event, words[product_id])


def _take_listed(record: Record, products: Mapping[str, Product], words: Mapping[str, FeedbackEntry]) -> None:
    if record.key is not None and record.key.decode("utf-8", "replace") not in products:
        return
    try:
        event = decode_product_created(record.value, record.key)
    except InvalidEvent:
        return  # a dead letter
    product = products.get(event.product_id)
    if product is not None and event.change is not Change.WITHDRAWN:
        product.list(event, record)
