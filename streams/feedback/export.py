"""Export of feedback as training data: read the topics, join them per product, pseudonymize the names."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from confluent_kafka import Consumer

from models.attributes.extractor import attributes_text
from models.enrichment.event_builder import TITLE_CHARACTERS
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
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.settings import Settings
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, PRODUCT_ENRICHED
from streams.wrapping.topics import TopicUnwrapper

_PSEUDONYM_DIGITS = 16


@dataclass
class ProductContext:
    """What the topics hold about a product that has feedback.

    Attributes:
        answer: Event that the enrich agent published because of the latest feedback; None if the topic no
            longer has it, or not yet.
        published: Latest published event; None if there is none, or if it is a withdrawal.
        withdrawn: Whether the latest record of `product-enriched` is a withdrawal.
        listing: Latest listing; None if the topic no longer has it.
    """

    answer: ProductEnriched | None = None
    published: ProductEnriched | None = None
    withdrawn: bool = False
    listing: ProductCreated | None = None
    _listing_position: tuple[int, int] = (-1, -1)

    def add_published(self, event: ProductEnriched | None, entry: FeedbackEntry) -> None:
        """Add the next record of `product-enriched`.

        Args:
            event: Decoded record; None for a tombstone.
            entry: Latest feedback on the product.
        """
        self.published, self.withdrawn = event, event is None
        if event is not None and event.source == entry.source:
            self.answer = event

    def add_listing(self, event: ProductCreated, record: Record) -> None:
        """Add a record of `product-created`. The later one holds, by timestamp between partitions."""
        position = (record.timestamp, record.partition)
        if self._listing_position[1] == record.partition or position > self._listing_position:
            self.listing, self._listing_position = event, position


def pseudonym(name: str, salt: bytes) -> str:
    """Return the pseudonym of a name: the first 16 hexadecimal digits of HMAC-SHA256 (RFC 2104).

    Args:
        name: Name of a person. An empty name has an empty pseudonym.
        salt: Secret key. Without it the name cannot be found from the pseudonym.
    """
    return hmac.new(salt, name.encode(), hashlib.sha256).hexdigest()[:_PSEUDONYM_DIGITS] if name else ""


def training_lines(
    entries: Mapping[str, FeedbackEntry],
    products: Mapping[str, ProductContext],
    taxonomy: Taxonomy,
    anonymize: Callable[[str], str],
) -> tuple[list[FeedbackLine], Counter[str]]:
    """Make training lines from the latest feedback.

    Args:
        entries: Latest feedback by product id.
        products: Context of each of these products, by product id.
        taxonomy: Category tree of the feedback.
        anonymize: Maps a person's name to what the line shows of it.

    Returns:
        The lines, in the order of `entries`, and the number of entries left out by reason.
    """
    lines: list[FeedbackLine] = []
    left_out: Counter[str] = Counter()
    for product_id, entry in entries.items():
        product = products[product_id]
        category_id = _category(entry, product)
        title = _title(product)
        if product.withdrawn:
            left_out["the product was withdrawn"] += 1
        elif category_id is None or category_id not in taxonomy:
            left_out["the accepted category is not known (yet, or no longer)"] += 1
        elif not (text := clean(title)):
            left_out["the product has no title"] += 1
        else:
            lines.append(_line(entry, product, text, category_id, taxonomy, anonymize))
    return lines, left_out


def _category(entry: FeedbackEntry, product: ProductContext) -> int | None:
    """Return the category that the entry names, or else the one that was published because of it."""
    if entry.event.category_id is not None:
        return entry.event.category_id
    for event in (product.answer, product.published):
        if event is not None and event.category is not None:
            return event.category.id if event.decision.outcome is DecisionOutcome.PERSON else None
    return None


def _title(product: ProductContext) -> str:
    """Return the title at the time of the feedback if it is still known, or else the latest title."""
    event = product.answer or product.published
    title = event.title if event is not None else ""
    listed = product.listing.title if product.listing is not None else ""
    # Published titles are truncated; listed ones are not.
    return listed if not title or listed[:TITLE_CHARACTERS] == title else title


def _line(
    entry: FeedbackEntry,
    product: ProductContext,
    text: str,
    category_id: int,
    taxonomy: Taxonomy,
    anonymize: Callable[[str], str],
) -> FeedbackLine:
    event, listing = entry.event, product.listing
    occurred_at = event.occurred_at
    if occurred_at is None and entry.timestamp >= 0:
        occurred_at = datetime.fromtimestamp(entry.timestamp / 1000, UTC)
    same_title = listing is not None and clean(listing.title) == text
    attributes = clean(attributes_text(listing.attributes)) if listing is not None and same_title else ""
    return FeedbackLine(
        product_id=event.product_id,
        text=text,
        category_id=category_id,
        taxonomy_version=taxonomy.version,
        verdict=event.verdict,
        who=anonymize(event.by),
        occurred_at=occurred_at,
        source=entry.source,
        model_version=product.answer.model_version if product.answer is not None else "",
        attributes=attributes,
        language=language_of(text),
        shop_id=listing.shop_id if listing is not None else None,
    )


class ExportRanges(NamedTuple):
    """The offsets that an export reads, by topic."""

    feedback: list[OffsetRange]
    published: list[OffsetRange]
    listed: list[OffsetRange]

    @property
    def products(self) -> int:
        """The most records that `product-enriched` and `product-created` can have in the ranges."""
        return sum(each.offsets for each in [*self.published, *self.listed])


class FeedbackExport:
    """Reads feedback and the products that it is about. Use it as a context manager.

    It has its own consumer, reads committed records only, and writes and commits nothing.

    Args:
        settings: Settings with the broker's address.
        history: Collects the feedback.
    """

    def __init__(self, settings: Settings, history: FeedbackHistory) -> None:
        self._settings = settings
        self._unwrapper = TopicUnwrapper(settings)
        self.history = history
        self._consumer: Consumer = open_consumer(settings, f"{settings.app_id}-feedback-export")

    def __enter__(self) -> "FeedbackExport":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def ranges(self, begin: Position = START) -> ExportRanges:
        """Return the offsets to read: feedback from `begin`, products from the start, to the present ends.

        Raises:
            StopWorker: A topic does not exist.
            RetryLater: The broker is unreachable.
        """
        # Feedback is resolved first, so that the answers to it lie before the other ends.
        return ExportRanges(
            resolve_ranges(self._consumer, self._settings, CATEGORY_FEEDBACK, begin, END),
            resolve_ranges(self._consumer, self._settings, PRODUCT_ENRICHED, START, END),
            resolve_ranges(self._consumer, self._settings, PRODUCT_CREATED, START, END),
        )

    def read_feedback(
        self, ranges: ExportRanges, on_progress: Callable[[int], None] = lambda records: None
    ) -> dict[str, FeedbackEntry]:
        """Read the feedback.

        Args:
            ranges: Offsets to read.
            on_progress: Called with the number of records of each batch read.

        Returns:
            The latest feedback by product id.
        """
        for records in read_ranges(self._consumer, self._settings, CATEGORY_FEEDBACK, ranges.feedback):
            for record in self._unwrapper.readable(records):
                self.history.add(record)
            on_progress(len(records))
        return self.history.latest()

    def read_products(
        self,
        ranges: ExportRanges,
        entries: Mapping[str, FeedbackEntry],
        on_progress: Callable[[int], None] = lambda records: None,
    ) -> dict[str, ProductContext]:
        """Read the context of the products that have feedback.

        Args:
            ranges: Offsets to read.
            entries: Latest feedback by product id.
            on_progress: Called with the number of records of each batch read.

        Returns:
            The context by product id, for each key of `entries`.
        """
        products = {product_id: ProductContext() for product_id in entries}
        for topic, topic_ranges, add in (
            (PRODUCT_ENRICHED, ranges.published, _add_published),
            (PRODUCT_CREATED, ranges.listed, _add_listing),
        ):
            for records in read_ranges(self._consumer, self._settings, topic, topic_ranges):
                for record in self._unwrapper.readable(records):
                    add(record, products, entries)
                on_progress(len(records))
        return products


def _add_published(
    record: Record, products: Mapping[str, ProductContext], entries: Mapping[str, FeedbackEntry]
) -> None:
    product_id = (record.key or b"").decode("utf-8", "replace")
    product = products.get(product_id)
    if product is None:
        return
    try:
        event = decode_product_enriched(record.value, record.key) if record.value is not None else None
    except InvalidEvent:
        return  # another writer's record; the agents ignore it too
    product.add_published(event, entries[product_id])


def _add_listing(
    record: Record, products: Mapping[str, ProductContext], entries: Mapping[str, FeedbackEntry]
) -> None:
    if record.key is not None and record.key.decode("utf-8", "replace") not in products:
        return
    try:
        event = decode_product_created(record.value, record.key)
    except InvalidEvent:
        return  # the enrich agent writes it to the dead-letter topic
    product = products.get(event.product_id)
    if product is not None and event.change is not Change.WITHDRAWN:
        product.add_listing(event, record)
