"""Requests to a predictor and its results: bytes and numbers that can cross a process boundary."""

from datetime import datetime
from pathlib import Path

import msgspec

from models.serving_config import DEFAULT_CONFIG, ServingConfig
from schemas.errors import InvalidEvent


class PredictorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a predictor loads its model and measures drift.

    Attributes:
        serving: How to load the model.
        drift_snapshot: File with the reference histograms of drift. None means the model's own.
        drift_half_life_s: Seconds after which a listing counts half in the drift statistics.
    """

    serving: ServingConfig = DEFAULT_CONFIG
    drift_snapshot: Path | None = None
    drift_half_life_s: float = 86_400.0


class Listing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record with a listing, undecoded.

    Attributes:
        value: The record's value. None is a tombstone.
        key: The record's key.
        topic: Topic that the outputs name as their source.
        partition: Partition of the source.
        offset: Offset of the source.
        headers: The record's headers that a listing is decoded with.
        mix: The mix of the listing's shop before its batch, stored form; empty for a new shop. None if no mix
            weighs the listing.
    """

    value: bytes | None
    key: bytes | None
    topic: str
    partition: int
    offset: int
    headers: tuple[tuple[str, bytes | None], ...] = ()
    mix: bytes | None = None


class Prediction(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """The encoded events of one listing.

    Attributes:
        product_id: The listing's product.
        enriched: The product-enriched event. None if the listing was withdrawn.
        review: The enrichment-review event. None if the model decided the category.
        model_version: Version of the model that predicted.
        outcome: The `DecisionOutcome` of `enriched`. None for a withdrawal.
        listed_at: The listing's event time. None if it had none.
        shop_id: The listing's shop. None if it names none.
        ignored: Names of the listing's fields that were left out.
        departments: The probability of each department before a mix weighs it, as float32. None if the model
            does not tell it, or if no mix weighs the listing.
    """

    product_id: str
    enriched: bytes | None
    review: bytes | None
    model_version: str
    outcome: str | None = None
    listed_at: datetime | None = None
    shop_id: str | None = None
    ignored: tuple[str, ...] = ()
    departments: bytes | None = None


class InvalidListing(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A listing that cannot be decoded: the fields of an `InvalidEvent`."""

    reason: str
    detail: str
    field: str | None

    def error(self) -> InvalidEvent:
        """Return the decoding error."""
        return InvalidEvent(self.reason, self.detail, self.field)


Predictions = list[Prediction | InvalidListing]
"""The results of a batch, one per listing, in the order of the listings."""
