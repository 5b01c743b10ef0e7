"""From a listing's record to the encoded events about it: what is done for each title, beside the event loop.

Bytes go in and bytes come out, so that it may be done in another process at hardly any cost.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

import msgspec

from models.encoder_device import Hardware
from models.enricher import Enricher, Enrichment
from models.taxonomy import Taxonomy
from schemas.codec import decode_product_created, encode
from schemas.errors import InvalidEvent
from schemas.events import Change, ProductCreated, Source


class ModelChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which model judges, and how; see the settings of the same names.

    Attributes:
        path: the model's folder; None is the shipped one.
        threads: that one batch may use.
        threshold: least confidence of a published category; None: the model's own.
        cascade: whether the text encoder judges what the student doubts.
        taxonomy: the file of the model's category tree; None is Google's.
        cache: the folder that keeps the encoder's points of such a tree; None: each start makes them.
        encoder: the text encoder's folder; None is the shipped one.
        hardware: what runs the text encoder.
    """

    path: str | None = None
    threads: int = 1
    threshold: float | None = None
    cascade: bool = True
    taxonomy: str | None = None
    cache: str | None = None
    encoder: str | None = None
    hardware: Hardware = Hardware()

    def tree(self) -> Taxonomy:
        """The model's category tree.

        Raises:
            StopWorker: its file is missing or no tree; says why.
        """
        return Taxonomy.google() if self.taxonomy is None else Taxonomy.load(Path(self.taxonomy))

    def load(self) -> Enricher:
        """The model, read, verified and warm.

        Raises:
            StopWorker: it is missing, damaged or does not fit; says why.
        """
        enricher = Enricher.load(
            _path(self.path),
            threads=self.threads,
            threshold=self.threshold,
            cascade=self.cascade,
            taxonomy=_path(self.taxonomy),
            cache=_path(self.cache),
            encoder=_path(self.encoder),
            hardware=self.hardware,
        )
        # The first batch would wait for buffers and threads.
        enricher.enrich([ProductCreated(product_id="0", title="Warm woollen socks")])
        return enricher


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


class Listing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record of a listing, as read, with the record that its outputs name as their source."""

    value: bytes | None
    key: bytes | None
    topic: str
    partition: int
    offset: int


class Judgement(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """What became of a listing.

    Attributes:
        product_id: whose listing it was.
        enriched: the product-enriched event; None: the listing was withdrawn.
        review: the enrichment-review event; None where the model decided.
        model_version: which model judged.
    """

    product_id: str
    enriched: bytes | None
    review: bytes | None
    model_version: str


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Why a listing cannot be read: the parts of an `InvalidEvent`."""

    reason: str
    detail: str
    field: str | None

    def error(self) -> InvalidEvent:
        """The error that it was."""
        return InvalidEvent(self.reason, self.detail, self.field)


class Judge:
    """Judges batches of listings, wherever it is run; a batch is judged by one thread at a time.

    Args:
        enricher: the model.
    """

    def __init__(self, enricher: Enricher) -> None:
        self.enricher = enricher

    @property
    def model_version(self) -> str:
        """The model's."""
        return self.enricher.model_version

    @property
    def cache_requests(self) -> tuple[int, int]:
        """Listings whose classification was at hand, and those that were classified; both only grow."""
        return self.enricher.cache_hits, self.enricher.cache_misses

    def __call__(self, listings: Sequence[Listing]) -> list[Judgement | Refusal]:
        """What becomes of each listing, in order."""
        events = [_read(listing) for listing in listings]
        listed = [event for event in events if _is_listed(event)]
        judged = iter(self._judged(listed))
        found: list[Judgement | Refusal] = []
        for listing, event in zip(listings, events, strict=True):
            if isinstance(event, Refusal):
                found.append(event)
            elif _is_listed(event):
                found.append(_judgement(listing, event, *next(judged)))
            else:
                found.append(Judgement(event.product_id, None, None, self.model_version))
        return found

    def _judged(self, products: Sequence[ProductCreated]) -> list[tuple[Enricher, Enrichment]]:
        """Who judged each product, and what was made of it."""
        if not products:
            return []
        return [(self.enricher, enrichment) for enrichment in self.enricher.enrich(products)]


def _judgement(
    listing: Listing, event: ProductCreated, enricher: Enricher, enrichment: Enrichment
) -> Judgement:
    source = Source(topic=listing.topic, partition=listing.partition, offset=listing.offset)
    review = enricher.review(event, enrichment, source)
    return Judgement(
        event.product_id,
        encode(enricher.event(event, enrichment, source)),
        None if review is None else encode(review),
        enricher.model_version,
    )


def _read(listing: Listing) -> ProductCreated | Refusal:
    try:
        return decode_product_created(listing.value, listing.key)
    except InvalidEvent as error:
        return Refusal(error.reason, error.detail, error.field)


def _is_listed(event: ProductCreated | Refusal) -> TypeGuard[ProductCreated]:
    """Whether there is something to judge: a withdrawal needs no model."""
    return isinstance(event, ProductCreated) and event.change is not Change.WITHDRAWN
