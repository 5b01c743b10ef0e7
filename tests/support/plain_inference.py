"""A model that gives every listing the same category, and decodes listings as the real one does."""

from collections.abc import Sequence

from models.enrichment.model_info import LoadedModelInfo
from models.taxonomy.tree import Taxonomy
from schemas.codec import decode_product_created, encode
from schemas.errors import InvalidEvent
from schemas.events import Category, Change, Decision, DecisionOutcome, ProductCreated, ProductEnriched
from streams.inference.messages import InvalidListing, Listing, Prediction


class PlainInference:
    """Predicts the category `A > B` for every listing, and passes on its shop."""

    def __init__(self) -> None:
        self.model_info = LoadedModelInfo("m", Taxonomy("t", {1: ("A",), 2: ("A", "B")}, {}))
        self.cache_requests = (0, 0)
        self.restarts = self.hangs = 0
        self.unavailable_reason: str | None = None
        self.drift = None

    async def predict(self, listings: Sequence[Listing]) -> list[Prediction | InvalidListing]:
        """See `Inference.predict`."""
        return [_predicted(listing) for listing in listings]

    def close(self) -> None:
        """See `Inference.close`."""


def _predicted(listing: Listing) -> Prediction | InvalidListing:
    try:
        event = decode_product_created(listing.value, listing.key)
    except InvalidEvent as error:
        return InvalidListing(error.reason, error.detail, error.field)
    if event.change is Change.WITHDRAWN:
        return Prediction(event.product_id, None, None, "m", shop_id=event.shop_id)
    return Prediction(event.product_id, encode(_enriched(event)), None, "m", "model", None, event.shop_id)


def _enriched(event: ProductCreated) -> ProductEnriched:
    return ProductEnriched(
        product_id=event.product_id,
        decision=Decision(outcome=DecisionOutcome.MODEL, why=""),
        category=Category(id=2, path="A > B", confidence=1.0),
        model_version="m",
        taxonomy_version="t",
        title=event.title,
        shop_id=event.shop_id,
    )
