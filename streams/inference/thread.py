"""Inference in a thread of the worker's process."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from models.drift.report import DriftReport
from models.enrichment.model_info import ModelInfo
from schemas.errors import RetryLater
from streams.inference.messages import Listing, Predictions

if TYPE_CHECKING:
    from streams.inference.predictor import Predictor


class InferenceThread:
    """Runs the model on one thread of this process, which shares the interpreter with the lanes.

    Args:
        predictor: The loaded model.
    """

    def __init__(self, predictor: "Predictor") -> None:
        self._predictor = predictor
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")

    @property
    def model_info(self) -> ModelInfo:
        """See `Inference.model_info`."""
        return self._predictor.enricher

    @property
    def cache_requests(self) -> tuple[int, int]:
        """See `Inference.cache_requests`."""
        return self._predictor.cache_requests

    @property
    def restarts(self) -> int:
        """Always 0: a thread lives as long as its process."""
        return 0

    @property
    def hangs(self) -> int:
        """Always 0: a thread cannot be killed, so that nobody watches it."""
        return 0

    @property
    def unavailable_reason(self) -> str | None:
        """Always None: see `hangs`."""
        return None

    @property
    def drift(self) -> DriftReport | None:
        """See `Inference.drift`."""
        return self._predictor.drift_report()

    async def predict(self, listings: Sequence[Listing]) -> Predictions:
        """See `Inference.predict`. Errors of the model are raised unchanged."""
        loop = asyncio.get_running_loop()
        try:
            predictions = loop.run_in_executor(self._executor, self._predictor.predict, listings)
        except RuntimeError as closed:
            raise RetryLater("the model's thread is being stopped") from closed
        return await predictions

    def close(self) -> None:
        """Accept no more batches and drop those that have not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)
