"""The recent listings of a worker, with which a newly loaded model begins its drift statistics."""

from collections import deque
from collections.abc import Sequence

from models.drift.sampling import is_sampled
from streams.inference.messages import Listing, Prediction, Predictions

RECENT = 1000
"""Listings that are kept: twice as many as a drift report needs."""
LONGEST = 16 * 1024
"""Bytes above which a listing is not kept."""


class RecentListings:
    """Keeps the newest listings that a model predicted and that count for drift."""

    def __init__(self) -> None:
        self._listings: deque[Listing] = deque(maxlen=RECENT)

    def add(self, listings: Sequence[Listing], predictions: Predictions) -> None:
        """Add the listings of a batch. Invalid listings and withdrawals are left out."""
        for listing, prediction in zip(listings, predictions, strict=True):
            if (
                isinstance(prediction, Prediction)
                and prediction.enriched is not None
                and is_sampled(prediction.product_id.encode("utf-8", "replace"))
                and len(listing.value or b"") <= LONGEST
            ):
                self._listings.append(listing)

    def batches(self, size: int) -> list[list[Listing]]:
        """Return the listings, the oldest first, in batches of at most `size`."""
        listings = list(self._listings)
        return [listings[start : start + size] for start in range(0, len(listings), size)]
