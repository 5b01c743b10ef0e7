"""The interface through which agents use a model, whether it runs in a thread or in a process."""

from collections.abc import Sequence
from typing import Protocol

from models.drift.report import DriftReport
from models.enrichment.model_info import ModelInfo
from streams.inference.messages import Listing, Predictions


class Inference(Protocol):
    """Runs a model off the event loop, one batch at a time, in the order of the calls.

    Lanes overlap: while the model predicts the batch of one lane, other lanes decode, encode and commit.
    """

    @property
    def model_info(self) -> ModelInfo:
        """Versions, taxonomy and tagger of the model."""
        ...

    @property
    def cache_requests(self) -> tuple[int, int]:
        """Cache hits and misses of the classification so far, in listings. Both only grow."""
        ...

    @property
    def restarts(self) -> int:
        """Number of times the model's process died after its first start. Only grows."""
        ...

    @property
    def hangs(self) -> int:
        """Number of times the model's process hung and was killed. Part of `restarts`. Only grows."""
        ...

    @property
    def unavailable_reason(self) -> str | None:
        """Why the model does not predict now: its process hangs or is being started. None if it works."""
        ...

    @property
    def drift(self) -> DriftReport | None:
        """Drift of the recent listings from the training data. None if it is not measured, or not yet."""
        ...

    async def predict(self, listings: Sequence[Listing]) -> Predictions:
        """Predict a batch.

        Args:
            listings: The records, undecoded.

        Returns:
            One result per listing, in order.

        Raises:
            InferenceFailed: The model cannot predict this batch.
            RetryLater: The model is not available now.
            StopWorker: The model cannot be loaded again.
        """
        ...

    def close(self) -> None:
        """Accept no more batches. Batches that were accepted still end. Does not wait for them."""
        ...
