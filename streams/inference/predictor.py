"""From a listing's record to the encoded events about it: what is done for each title, beside the event loop.

Bytes go in and bytes come out, so that it may be done in another process at hardly any cost.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

from models.drift.detector import DriftDetector
from models.drift.report import DriftReport
from models.drift.snapshot import DriftReference
from models.enrichment.enricher import Enricher, Enrichment
from models.serving_config import ServingConfig
from schemas.codec import decode_product_created, encode
from schemas.errors import InvalidEvent, StopWorker
from schemas.events import Change, ProductCreated, Source
from streams.inference.messages import InvalidListing, Listing, ModelChoice, Prediction

_WARM_UP = (
    "Warm woollen socks",
    "Nike Men's Running Shoes Blue Size 10",
    "纯棉男士蓝色衬衫",
    "B08-XK2 / 4417",
    "",
)


def load_enricher(choice: ModelChoice) -> Enricher:
    """The model, read, verified and warm.

    Raises:
        StopWorker: it is missing, damaged or does not fit; says why.
    """
    enricher = Enricher.load(
        ServingConfig(
            model=_path(choice.path),
            taxonomy=_path(choice.taxonomy),
            encoders=_path(choice.encoder),
            prototype_cache=_path(choice.cache),
            threads=choice.threads,
            threshold=choice.threshold,
            cascade=choice.cascade,
            hardware=choice.hardware,
        )
    )
    # The first batch would wait for buffers and threads; and what cannot judge these should judge none.
    try:
        enricher.enrich([ProductCreated(product_id="0", title=title) for title in _WARM_UP])
    except Exception as error:
        raise StopWorker(f"{enricher.model_version} loads, but cannot judge: {error!r}.") from error
    return enricher


def load_predictor(choice: ModelChoice) -> "Predictor":
    """The model with what watches its drift; raises as `load_enricher` does."""
    enricher = load_enricher(choice)
    reference = DriftReference.for_model(enricher.artifact, enricher.taxonomy, _path(choice.drift_snapshot))
    return Predictor(enricher, DriftDetector(reference, choice.drift_half_life_s))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


class Predictor:
    """Judges batches of listings, wherever it is run; a batch is judged by one thread at a time.

    Args:
        enricher: the model.
        drift: watches what comes and what the model makes of it; batches that are undone later count too.
    """

    def __init__(self, enricher: Enricher, drift: DriftDetector | None = None) -> None:
        self.enricher = enricher
        self._drift = drift

    @property
    def model_version(self) -> str:
        """The model's."""
        return self.enricher.model_version

    @property
    def cache_requests(self) -> tuple[int, int]:
        """Listings whose classification was at hand, and those that were classified; both only grow."""
        return self.enricher.cache_hits, self.enricher.cache_misses

    def drift_report(self) -> DriftReport | None:
        """How far the listings of late are from the training; None where nothing watches."""
        return None if self._drift is None else self._drift.report(time.monotonic())

    def __call__(self, listings: Sequence[Listing]) -> list[Prediction | InvalidListing]:
        """What becomes of each listing, in order."""
        events = [_read(listing) for listing in listings]
        listed = [event for event in events if _is_listed(event)]
        judged = iter(self._judged(listed))
        found: list[Prediction | InvalidListing] = []
        for listing, event in zip(listings, events, strict=True):
            if isinstance(event, InvalidListing):
                found.append(event)
            elif _is_listed(event):
                found.append(_judgement(listing, event, *next(judged)))
            else:
                found.append(Prediction(event.product_id, None, None, self.model_version))
        return found

    def _judged(self, products: Sequence[ProductCreated]) -> list[tuple[Enricher, Enrichment]]:
        """Who judged each product, and what was made of it."""
        if not products:
            return []
        enrichments = self.enricher.enrich(products)
        if self._drift is not None:
            self._drift.observe(products, enrichments, time.monotonic())
        return [(self.enricher, enrichment) for enrichment in enrichments]


def _judgement(
    listing: Listing, event: ProductCreated, enricher: Enricher, enrichment: Enrichment
) -> Prediction:
    source = Source(topic=listing.topic, partition=listing.partition, offset=listing.offset)
    review = enricher.review(event, enrichment, source)
    enriched = enricher.event(event, enrichment, source)
    return Prediction(
        event.product_id,
        encode(enriched),
        None if review is None else encode(review),
        enricher.model_version,
        enriched.decision.outcome.value,
    )


def _read(listing: Listing) -> ProductCreated | InvalidListing:
    try:
        return decode_product_created(listing.value, listing.key)
    except InvalidEvent as error:
        return InvalidListing(error.reason, error.detail, error.field)


def _is_listed(event: ProductCreated | InvalidListing) -> TypeGuard[ProductCreated]:
    """Whether there is something to judge: a withdrawal needs no model."""
    return isinstance(event, ProductCreated) and event.change is not Change.WITHDRAWN
