"""Prediction of listing records: decode, enrich, encode. Runs off the event loop, in a thread or a process.

Input and output are bytes, so that a process boundary costs little.
"""

import time
from collections.abc import Iterator, Sequence
from typing import TypeGuard

from models.drift.detector import DriftDetector
from models.drift.report import DriftReport
from models.drift.snapshot import DriftReference
from models.enrichment.enricher import Enricher, Enrichment
from models.enrichment.shop_mix import ShopMixes
from models.serving_config import ServingConfig
from schemas.codec import decode_listing, encode
from schemas.errors import InvalidEvent, StopWorker
from schemas.events import Change, ProductCreated, Source
from schemas.tolerant_reader import Ignored, field_name
from streams.inference.messages import InvalidListing, Listing, Prediction, Predictions, PredictorConfig

_WARM_UP = (
    "Warm woollen socks",
    "Nike Men's Running Shoes Blue Size 10",
    "纯棉男士蓝色衬衫",
    "B08-XK2 / 4417",
    "",
)


def load_enricher(config: ServingConfig) -> Enricher:
    """Load and verify a model, and enrich a few titles with it.

    Raises:
        StopWorker: The model is missing, damaged or of another format, or it cannot enrich.
    """
    enricher = Enricher.load(config)
    # The first batch must not wait for buffers and threads, and a model that fails here must not serve.
    try:
        enricher.enrich([ProductCreated(product_id="0", title=title) for title in _WARM_UP])
    except Exception as error:
        raise StopWorker(f"{enricher.model_version} loads, but cannot predict: {error!r}.") from error
    return enricher


def load_predictor(config: PredictorConfig) -> "Predictor":
    """Load a model and its drift reference.

    Raises:
        StopWorker: As in `load_enricher`, or the drift snapshot cannot be read.
    """
    enricher = load_enricher(config.serving)
    reference = DriftReference.for_model(enricher.artifact, enricher.taxonomy, config.drift_snapshot)
    return Predictor(enricher, DriftDetector(reference, config.drift_half_life_s))


class Predictor:
    """Predicts batches of listings. Not thread-safe: one thread at a time calls `predict`.

    Args:
        enricher: The model.
        drift: Measures the drift of listings and decisions; it also counts batches that are undone later.
            None measures nothing.
    """

    def __init__(self, enricher: Enricher, drift: DriftDetector | None = None) -> None:
        self.enricher = enricher
        self._drift = drift

    @property
    def model_version(self) -> str:
        """The model's version."""
        return self.enricher.model_version

    @property
    def cache_requests(self) -> tuple[int, int]:
        """Cache hits and misses of the classification so far, in listings. Both only grow."""
        return self.enricher.cache_hits, self.enricher.cache_misses

    def drift_report(self) -> DriftReport | None:
        """The drift of the recent listings from the training data. None if drift is not measured."""
        return None if self._drift is None else self._drift.report(time.monotonic())

    def predict(self, listings: Sequence[Listing]) -> Predictions:
        """Predict a batch.

        Args:
            listings: The records, undecoded.

        Returns:
            One result per listing, in order.
        """
        decoded = [_decode(listing) for listing in listings]
        mixes = ShopMixes()
        for listing, (event, _) in zip(listings, decoded, strict=True):
            if listing.mix is not None and _is_listed(event):
                mixes.add(event.shop_id, self.enricher.mix(listing.mix or None))
        enrichments = self._enrich([event for event, _ in decoded if _is_listed(event)], mixes)
        predictions: Predictions = []
        for listing, (event, ignored) in zip(listings, decoded, strict=True):
            if isinstance(event, InvalidListing):
                predictions.append(event)
            elif _is_listed(event):
                predictions.append(_prediction(listing, event, ignored, self.enricher, next(enrichments)))
            else:
                names = tuple(map(field_name, ignored))
                predictions.append(
                    Prediction(
                        event.product_id,
                        None,
                        None,
                        self.model_version,
                        listed_at=event.occurred_at,
                        shop_id=event.shop_id,
                        ignored=names,
                    )
                )
        return predictions

    def _enrich(self, products: Sequence[ProductCreated], mixes: ShopMixes) -> Iterator[Enrichment]:
        """Enrich the products and count them for drift."""
        if not products:
            return iter(())
        enrichments = self.enricher.enrich(products, mixes)
        if self._drift is not None:
            self._drift.observe(products, enrichments, time.monotonic())
        return iter(enrichments)


def _prediction(
    listing: Listing, event: ProductCreated, ignored: Ignored, enricher: Enricher, enrichment: Enrichment
) -> Prediction:
    """Encode the events of one listing."""
    source = Source(topic=listing.topic, partition=listing.partition, offset=listing.offset)
    review = enricher.review(event, enrichment, source)
    enriched = enricher.event(event, enrichment, source, ignored)
    departments = None if listing.mix is None else enrichment.departments
    return Prediction(
        event.product_id,
        encode(enriched),
        None if review is None else encode(review),
        enricher.model_version,
        enriched.decision.outcome.value,
        event.occurred_at,
        event.shop_id,
        tuple(map(field_name, ignored)),
        None if departments is None else departments.tobytes(),
    )


def _decode(listing: Listing) -> tuple[ProductCreated | InvalidListing, Ignored]:
    try:
        return decode_listing(listing.value, listing.key, headers=listing.headers)
    except InvalidEvent as error:
        return InvalidListing(error.reason, error.detail, error.field), ()


def _is_listed(event: ProductCreated | InvalidListing) -> TypeGuard[ProductCreated]:
    """Whether the event describes a product to classify. A withdrawal needs no model."""
    return isinstance(event, ProductCreated) and event.change is not Change.WITHDRAWN
