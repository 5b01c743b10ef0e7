"""What runs the model, so that the event loop never waits for it: a thread here, or a process of its own."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from models.drift.report import DriftReport
from models.enrichment.model_info import ModelInfo
from schemas.errors import RetryLater
from streams.inference.messages import InvalidListing, Listing, Prediction

if TYPE_CHECKING:
    from streams.inference.predictor import Predictor


class Inference(Protocol):
    """Judges batches one after the other, in the order in which lanes ask.

    Lanes overlap: while one lane's batch is judged, others decode, encode and commit.

    """

    @property
    def model_info(self) -> ModelInfo:
        """Names, tags and versions of the model that judges now."""
        ...

    @property
    def cache_requests(self) -> tuple[int, int]:
        """Listings whose classification was at hand, and those that were classified; both only grow."""
        ...

    @property
    def restarts(self) -> int:
        """How often the model's process ended by itself and was started again; only grows."""
        ...

    @property
    def drift(self) -> DriftReport | None:
        """How far the listings of late are from the training; None where nobody watches, or nothing came."""
        ...

    async def judge(self, listings: Sequence[Listing]) -> list[Prediction | InvalidListing]:
        """What becomes of each listing, in order.

        Raises:
            InferenceFailed: the model cannot judge these listings.
            RetryLater: the model cannot judge anything for now.
            StopWorker: the model cannot be loaded again.
        """
        ...

    def close(self) -> None:
        """Let the batch in work end and take no more."""
        ...


class InferenceThread:
    """Runs the model on one thread of this process, sharing its interpreter.

    Args:
        judge: what is done with each batch.
    """

    def __init__(self, judge: "Predictor") -> None:
        self._judge = judge
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")

    @property
    def model_info(self) -> ModelInfo:
        """As `Inference.model_info`."""
        return self._judge.enricher

    @property
    def cache_requests(self) -> tuple[int, int]:
        """As `Inference.cache_requests`."""
        return self._judge.cache_requests

    @property
    def restarts(self) -> int:
        """None: a thread lives as long as its process."""
        return 0

    @property
    def drift(self) -> DriftReport | None:
        """As `Inference.drift`."""
        return self._judge.drift_report()

    async def judge(self, listings: Sequence[Listing]) -> list[Prediction | InvalidListing]:
        """As `Inference.judge`; what the model raises passes through."""
        loop = asyncio.get_running_loop()
        try:
            judged = loop.run_in_executor(self._executor, self._judge, listings)
        except RuntimeError as closed:
            raise RetryLater("the model's thread is being stopped") from closed
        return await judged

    def close(self) -> None:
        """As `Inference.close`."""
        self._executor.shutdown(wait=False, cancel_futures=True)
