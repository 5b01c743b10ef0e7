"""The one thread per device that runs the model, so that the event loop never waits for it."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from models.drift import Drift
from models.enricher import Enricher, Enrichment
from schemas.events import ProductCreated


class InferenceThread:
    """Runs an enricher's batches one after the other, in the order in which lanes ask.

    Lanes overlap: while one lane's batch is inferred, others decode, encode and commit.

    Args:
        enricher: The model.
        drift: Watches what comes and what the model makes of it; batches that are undone later count too.
    """

    def __init__(self, enricher: Enricher, drift: Drift | None = None) -> None:
        self.enricher = enricher
        self.drift = drift
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")

    async def enrich(self, products: Sequence[ProductCreated]) -> list[Enrichment]:
        """What the model says of each product, in order."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._enrich, products)

    def close(self) -> None:
        """Let the batch in work end and take no more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _enrich(self, products: Sequence[ProductCreated]) -> list[Enrichment]:
        enrichments = self.enricher.enrich(products)
        if self.drift is not None:
            self.drift.observe(products, enrichments, time.monotonic())
        return enrichments
