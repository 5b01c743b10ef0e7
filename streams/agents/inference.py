"""The one thread per device that runs the model, so that the event loop never waits for it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from models.enricher import Enricher, Enrichment
from schemas.events import ProductCreated


class InferenceThread:
    """Runs an enricher's batches one after the other, in the order in which lanes ask.

    Lanes overlap: while one lane's batch is inferred, others decode, encode and commit.
    """

    def __init__(self, enricher: Enricher) -> None:
        self.enricher = enricher
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")

    async def enrich(self, products: Sequence[ProductCreated]) -> list[Enrichment]:
        """What the model says of each product, in order."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.enricher.enrich, products)

    def close(self) -> None:
        """Let the batch in work end and take no more."""
        self._executor.shutdown(wait=False, cancel_futures=True)
