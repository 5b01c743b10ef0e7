"""What goes to whoever judges listings and what comes back: bytes and numbers, at home in any process."""

from pathlib import Path

import msgspec

from models.serving_config import Hardware
from models.taxonomy.tree import Taxonomy
from schemas.errors import InvalidEvent


class ModelChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which model judges, and how; see the settings of the same names.

    Attributes:
        path: the model's folder; None is the shipped one.
        threads: that one batch may use.
        threshold: least confidence of a published category; None: the model's own.
        cascade: whether text encoders judge what the student doubts.
        taxonomy: the file of the model's category tree; None is Google's.
        cache: the folder that keeps the encoders' points of such a tree; None: each start makes them.
        encoder: the folder of text encoders; None is the shipped one.
        hardware: what runs them.
        drift_snapshot: the file that drift is measured against; None: the model's own.
        drift_half_life_s: after which a listing weighs half in drift.
    """

    path: str | None = None
    threads: int = 1
    threshold: float | None = None
    cascade: bool = True
    taxonomy: str | None = None
    cache: str | None = None
    encoder: str | None = None
    hardware: Hardware = Hardware()
    drift_snapshot: str | None = None
    drift_half_life_s: float = 86_400.0

    def tree(self) -> Taxonomy:
        """The model's category tree.

        Raises:
            StopWorker: its file is missing or no tree; says why.
        """
        return Taxonomy.of(None if self.taxonomy is None else Path(self.taxonomy))


class Listing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record of a listing, as read, with the record that its outputs name as their source."""

    value: bytes | None
    key: bytes | None
    topic: str
    partition: int
    offset: int


class Prediction(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """What became of a listing.

    Attributes:
        product_id: whose listing it was.
        enriched: the product-enriched event; None: the listing was withdrawn.
        review: the enrichment-review event; None where the model decided.
        model_version: which model judged.
        outcome: The `DecisionOutcome` in `enriched`; None for a withdrawal.
    """

    product_id: str
    enriched: bytes | None
    review: bytes | None
    model_version: str
    outcome: str | None = None


class InvalidListing(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Why a listing cannot be read: the parts of an `InvalidEvent`."""

    reason: str
    detail: str
    field: str | None

    def error(self) -> InvalidEvent:
        """The error that it was."""
        return InvalidEvent(self.reason, self.detail, self.field)
