"""Inference with a replaceable serving model and candidate. A batch keeps the models it began with."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from models.drift.report import DriftReport
from models.enrichment.model_info import ModelInfo
from models.registry.deployment import on_canary
from schemas.codec import decode_product_created
from schemas.errors import InvalidEvent
from streams.inference.messages import Listing, Predictions
from streams.inference.model_report import ModelReport
from streams.inference.protocol import Inference
from streams.inference.recent_listings import RecentListings
from streams.inference.shadow import Shadow

log = structlog.get_logger()

RELEASE_TIMEOUT_S = 60.0
"""Seconds that a replaced model waits for its batches before it is closed."""


@dataclass(frozen=True, slots=True)
class ServingModels:
    """The models of a worker.

    Attributes:
        model: The serving model.
        candidate: The model on trial. None without one.
        canary_share: Share of the products, 0 to 1, for which the candidate publishes in place of the model.
        shadow: Whether the candidate also predicts what the model published.
    """

    model: Inference
    candidate: Inference | None = None
    canary_share: float = 0.0
    shadow: bool = False

    @property
    def loaded(self) -> list[Inference]:
        """The model, and the candidate if there is one."""
        return [each for each in (self.model, self.candidate) if each is not None]


class ServingInference:
    """An `Inference` whose models can be replaced while it works. For the event loop's thread only.

    Args:
        model: The first serving model.

    Attributes:
        models: The models of the next batch.
        candidate_failure: The candidate that failed, and its error, until the reader resets it to None.
        recent: The recent listings.
    """

    def __init__(self, model: Inference) -> None:
        self.models = ServingModels(model)
        self.recent = RecentListings()
        self.candidate_failure: tuple[Inference, Exception] | None = None
        self._shadow = Shadow()
        self._comparisons: set[asyncio.Task[None]] = set()
        self._retiring: list[Inference] = []
        self._retired_hits = self._retired_misses = self._retired_restarts = self._retired_hangs = 0
        self._uses: Counter[Inference] = Counter()
        self._released = asyncio.Event()

    @property
    def model_info(self) -> ModelInfo:
        """See `Inference.model_info`. That of the serving model."""
        return self.models.model.model_info

    @property
    def cache_requests(self) -> tuple[int, int]:
        """See `Inference.cache_requests`. The sum over all models since the start."""
        hits, misses = self._retired_hits, self._retired_misses
        for each in (*self.models.loaded, *self._retiring):
            hits, misses = hits + each.cache_requests[0], misses + each.cache_requests[1]
        return hits, misses

    @property
    def restarts(self) -> int:
        """See `Inference.restarts`. The sum over all models since the start."""
        return self._retired_restarts + sum(each.restarts for each in (*self.models.loaded, *self._retiring))

    @property
    def hangs(self) -> int:
        """See `Inference.hangs`. The sum over all models since the start."""
        return self._retired_hangs + sum(each.hangs for each in (*self.models.loaded, *self._retiring))

    @property
    def unavailable_reason(self) -> str | None:
        """See `Inference.unavailable_reason`. That of the serving model, or else of the candidate."""
        return next((each.unavailable_reason for each in self.models.loaded if each.unavailable_reason), None)

    @property
    def drift(self) -> DriftReport | None:
        """See `Inference.drift`. That of the serving model."""
        return self.models.model.drift

    async def predict(self, listings: Sequence[Listing]) -> Predictions:
        """See `Inference.predict`. If the candidate fails, the serving model predicts its listings too."""
        models = self.models
        with self._using(*models.loaded):
            canary = _canary_indices(listings, models)
            predictions = await self._predict_split(listings, canary, models)
            if models.shadow and models.candidate is not None:
                self._begin_comparison(models.candidate, listings, predictions, canary)
        self.recent.add(listings, predictions)
        return predictions

    async def replace(self, models: ServingModels) -> None:
        """Predict with other models from the next batch on.

        Returns once the models that are no longer needed are closed. They are closed when no batch uses them,
        at the latest after `RELEASE_TIMEOUT_S`.
        """
        retiring = [each for each in self.models.loaded if each not in models.loaded]
        self._retiring += retiring
        self.models = models
        self._shadow.begin(models.candidate if models.shadow else None)
        for each in retiring:
            await self._retire(each)

    def report(self) -> ModelReport:
        """Return the current models and all counts."""
        models, (hits, misses) = self.models, self.cache_requests
        model_info, candidate = self.model_info, models.candidate
        return ModelReport(
            model_version=model_info.model_version,
            taxonomy_version=model_info.taxonomy_version,
            candidate_version="" if candidate is None else candidate.model_info.model_version,
            canary_share=models.canary_share,
            shadow=self._shadow.counts if models.shadow else None,
            shadow_totals=self._shadow.totals,
            cache_hits=hits,
            cache_misses=misses,
            restarts=self.restarts,
            hangs=self.hangs,
            unavailable=self.unavailable_reason,
            drift=self.drift,
        )

    def close(self) -> None:
        """See `Inference.close`. Cancels the shadow's comparisons."""
        for comparison in self._comparisons:
            comparison.cancel()
        for each in (*self.models.loaded, *self._retiring):
            each.close()

    async def _predict_split(
        self, listings: Sequence[Listing], canary: set[int], models: ServingModels
    ) -> Predictions:
        """Predict the canary's listings with the candidate and all others with the model, concurrently."""
        if not canary:
            return await models.model.predict(listings)
        of_candidate, of_model = await asyncio.gather(
            self._predict_canary([listings[index] for index in sorted(canary)], models),
            models.model.predict([each for index, each in enumerate(listings) if index not in canary]),
        )
        parts = {True: iter(of_candidate), False: iter(of_model)}
        return [next(parts[index in canary]) for index in range(len(listings))]

    async def _predict_canary(self, listings: Sequence[Listing], models: ServingModels) -> Predictions:
        """Predict with the candidate. If it fails, note the failure and predict with the serving model."""
        assert models.candidate is not None
        try:
            return await models.candidate.predict(listings)
        except Exception as error:
            self.candidate_failure = (models.candidate, error)
        return await models.model.predict(listings)

    def _begin_comparison(
        self, candidate: Inference, listings: Sequence[Listing], predictions: Predictions, canary: set[int]
    ) -> None:
        """Compare the listings that the serving model predicted, in a task of their own."""
        indices = [index for index in range(len(listings)) if index not in canary]
        if not indices or not self._shadow.has_capacity(len(indices)):
            return
        self._uses[candidate] += 1
        comparison = asyncio.create_task(
            self._compare(
                candidate, [listings[index] for index in indices], [predictions[index] for index in indices]
            )
        )
        self._comparisons.add(comparison)
        comparison.add_done_callback(lambda task: self._end_comparison(task, candidate))

    async def _compare(
        self, candidate: Inference, listings: Sequence[Listing], predictions: Predictions
    ) -> None:
        try:
            await self._shadow.compare(candidate, listings, predictions)
        except Exception as error:
            self.candidate_failure = (candidate, error)

    def _end_comparison(self, comparison: asyncio.Task[None], candidate: Inference) -> None:
        self._comparisons.discard(comparison)
        self._release(candidate)

    async def _retire(self, inference: Inference) -> None:
        """Wait until no batch uses a replaced model, then close it."""
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                while self._uses[inference]:
                    self._released.clear()
                    await self._released.wait()
        except TimeoutError:
            # The lanes read its batches again and predict them with the new model.
            log.warning("model closed while batches still use it", model=inference.model_info.model_version)
        self._retiring.remove(inference)
        hits, misses = inference.cache_requests
        self._retired_hits += hits
        self._retired_misses += misses
        self._retired_restarts += inference.restarts
        self._retired_hangs += inference.hangs
        inference.close()

    @contextmanager
    def _using(self, *inferences: Inference) -> Iterator[None]:
        self._uses.update(inferences)
        try:
            yield
        finally:
            self._release(*inferences)

    def _release(self, *inferences: Inference) -> None:
        """End one use of each model, and wake the retirements that wait for it."""
        self._uses -= Counter(inferences)
        self._released.set()


def _canary_indices(listings: Sequence[Listing], models: ServingModels) -> set[int]:
    """Return the indices of the listings that the candidate publishes."""
    share = models.canary_share
    if models.candidate is None or not share:
        return set()
    return {
        index
        for index, listing in enumerate(listings)
        if (product := _product_key(listing)) is not None and on_canary(product, share)
    }


def _product_key(listing: Listing) -> bytes | None:
    """Return the product's key. None if the listing is invalid: then both models give the same result."""
    if listing.key is not None:
        return listing.key
    try:
        return decode_product_created(listing.value, None).product_id.encode()
    except InvalidEvent:
        return None
