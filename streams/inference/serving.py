"""The models that serve and are tried, as one inference; each batch is judged by those that it began with."""

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
from streams.inference.messages import InvalidListing, Listing, Prediction
from streams.inference.model_report import ModelReport
from streams.inference.shadow import Shadow
from streams.inference.thread import Inference

log = structlog.get_logger()

PATIENCE_S = 60.0
"""Seconds that batches may hold a model that is needed no more, before it is closed all the same."""

Found = list[Prediction | InvalidListing]


@dataclass(frozen=True, slots=True)
class Serving:
    """Who judges.

    Attributes:
        model: Judges and publishes.
        candidate: Is tried; None: nobody is.
        canary_share: Of the products, for which the candidate judges and publishes instead.
        shadow: Whether the candidate also judges what the model published.
    """

    model: Inference
    candidate: Inference | None = None
    canary_share: float = 0.0
    shadow: bool = False

    @property
    def loaded(self) -> list[Inference]:
        """All of them."""
        return [each for each in (self.model, self.candidate) if each is not None]


class ServingInference:
    """An `Inference` whose models may be replaced while it works.

    Args:
        model: Serves until `replace` says otherwise.

    Attributes:
        serving: Who judges the next batch.
        failed: The candidate that raised something at work, and what, until somebody takes it out.
    """

    def __init__(self, model: Inference) -> None:
        self.serving = Serving(model)
        self.failed: tuple[Inference, Exception] | None = None
        self._shadow = Shadow()
        self._comparisons: set[asyncio.Task[None]] = set()
        self._leaving: list[Inference] = []
        self._retired_hits = self._retired_misses = self._retired_restarts = 0
        self._holders: Counter[Inference] = Counter()
        self._released = asyncio.Event()

    @property
    def model_info(self) -> ModelInfo:
        """As `Inference.model_info`: that of the model which serves."""
        return self.serving.model.model_info

    @property
    def cache_requests(self) -> tuple[int, int]:
        """As `Inference.cache_requests`: of all models since the start."""
        hits, misses = self._retired_hits, self._retired_misses
        for each in (*self.serving.loaded, *self._leaving):
            hits, misses = hits + each.cache_requests[0], misses + each.cache_requests[1]
        return hits, misses

    @property
    def restarts(self) -> int:
        """As `Inference.restarts`: of all models since the start."""
        return self._retired_restarts + sum(each.restarts for each in (*self.serving.loaded, *self._leaving))

    @property
    def drift(self) -> DriftReport | None:
        """As `Inference.drift`: of the model which serves."""
        return self.serving.model.drift

    async def judge(self, listings: Sequence[Listing]) -> Found:
        """As `Inference.judge`. What a candidate cannot judge, the model that serves does."""
        serving = self.serving
        with self._holding(*serving.loaded):
            chosen = _chosen(listings, serving)
            found = await self._split(listings, chosen, serving)
            if serving.shadow and serving.candidate is not None:
                self._offer(serving.candidate, listings, found, chosen)
        return found

    async def replace(self, serving: Serving) -> None:
        """Predict with these models from the next batch on.

        Returns once those that are needed no more are closed: no batch holds them then.
        """
        leaving = [each for each in self.serving.loaded if each not in serving.loaded]
        self._leaving += leaving
        self.serving = serving
        self._shadow.begin(serving.candidate if serving.shadow else None)
        for each in leaving:
            await self._retire(each)

    def report(self) -> ModelReport:
        """The models in service and what they did."""
        serving, (hits, misses) = self.serving, self.cache_requests
        model_info, candidate = self.model_info, serving.candidate
        return ModelReport(
            model_version=model_info.model_version,
            taxonomy_version=model_info.taxonomy_version,
            candidate_version="" if candidate is None else candidate.model_info.model_version,
            canary_share=serving.canary_share,
            shadow=self._shadow.counts if serving.shadow else None,
            shadowed=self._shadow.totals,
            cache_hits=hits,
            cache_misses=misses,
            restarts=self.restarts,
            drift=self.drift,
        )

    def close(self) -> None:
        """As `Inference.close`."""
        for comparison in self._comparisons:
            comparison.cancel()
        for each in (*self.serving.loaded, *self._leaving):
            each.close()

    async def _split(self, listings: Sequence[Listing], chosen: set[int], serving: Serving) -> Found:
        """The candidate judges those at the chosen places, the model all others, both at once."""
        if not chosen:
            return await serving.model.judge(listings)
        theirs, ours = await asyncio.gather(
            self._tried([listings[place] for place in sorted(chosen)], serving),
            serving.model.judge([each for place, each in enumerate(listings) if place not in chosen]),
        )
        sides = {True: iter(theirs), False: iter(ours)}
        return [next(sides[place in chosen]) for place in range(len(listings))]

    async def _tried(self, listings: Sequence[Listing], serving: Serving) -> Found:
        """What the candidate says; what the model does where it fails."""
        assert serving.candidate is not None
        try:
            return await serving.candidate.judge(listings)
        except Exception as error:
            self.failed = (serving.candidate, error)
        return await serving.model.judge(listings)

    def _offer(self, candidate: Inference, listings: Sequence[Listing], found: Found, but: set[int]) -> None:
        """Let the shadow judge what the model published; what the candidate published is its own."""
        places = [place for place in range(len(listings)) if place not in but]
        if not places or not self._shadow.has_room(len(places)):
            return
        self._holders[candidate] += 1
        comparison = asyncio.create_task(
            self._compare(
                candidate, [listings[place] for place in places], [found[place] for place in places]
            )
        )
        self._comparisons.add(comparison)
        comparison.add_done_callback(lambda task: self._compared(task, candidate))

    async def _compare(self, candidate: Inference, listings: Sequence[Listing], found: Found) -> None:
        try:
            await self._shadow.compare(candidate, listings, found)
        except Exception as error:
            self.failed = (candidate, error)

    def _compared(self, comparison: asyncio.Task[None], candidate: Inference) -> None:
        self._comparisons.discard(comparison)
        self._release(candidate)

    async def _retire(self, inference: Inference) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self._holders[inference]:
                    self._released.clear()
                    await self._released.wait()
        except TimeoutError:
            # Its batches are read again, by whoever serves then.
            log.warning("a model is closed at work", model=inference.model_info.model_version)
        self._leaving.remove(inference)
        hits, misses = inference.cache_requests
        self._retired_hits += hits
        self._retired_misses += misses
        self._retired_restarts += inference.restarts
        inference.close()

    @contextmanager
    def _holding(self, *inferences: Inference) -> Iterator[None]:
        self._holders.update(inferences)
        try:
            yield
        finally:
            self._release(*inferences)

    def _release(self, *inferences: Inference) -> None:
        """Forget who is held no more; whoever waits for that looks again."""
        self._holders -= Counter(inferences)
        self._released.set()


def _chosen(listings: Sequence[Listing], serving: Serving) -> set[int]:
    """The places of the canary's listings."""
    share = serving.canary_share
    if serving.candidate is None or not share:
        return set()
    return {
        place
        for place, listing in enumerate(listings)
        if (product := _product(listing)) is not None and on_canary(product, share)
    }


def _product(listing: Listing) -> bytes | None:
    """The product's key; None where the listing cannot be read, so that it is all the same who says so."""
    if listing.key is not None:
        return listing.key
    try:
        return decode_product_created(listing.value, None).product_id.encode()
    except InvalidEvent:
        return None
