"""Takes over the models that a registry's deployment names, between batches, while the worker works."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from models.registry.deployment import Deployment
from models.registry.registry import Registry
from schemas.errors import ShelfstreamError, StopWorker
from streams.inference.model_report import ModelReport
from streams.inference.serving import Serving, ServingInference
from streams.inference.thread import Inference

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
RETRY_AFTER_S = 60.0
"""A model that cannot be taken over is tried again so much later: somebody may have mended its folder."""
Load = Callable[[str | None], Inference]
"""Loads a version, warm; None: the model that workers have without a registry. Raises where it cannot."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a version is not in service, and until when nobody tries again (monotonic seconds)."""

    why: str
    until: float


class ModelReloader:
    """Keeps the models in service as a registry says; what cannot be loaded changes nothing.

    At most two models are in memory: one that serves, and one that is loaded or tried beside it.

    Args:
        registry: Whose deployment is followed.
        load: Loads a version, in a thread.
        now: Monotonic seconds.

    Attributes:
        inference: Judges by them.

    Raises:
        StopWorker: Nothing can be loaded, not even the model that workers have without a registry.
    """

    def __init__(self, registry: Registry, load: Load, now: float) -> None:
        self._registry = registry
        self._load = load
        self._candidate: str | None = None
        self._unreadable: str | None = None
        self._failures: dict[str | None, _Failure] = {}
        self._failed = self._swaps = 0
        deployment = self._read() or Deployment()
        self._serving, model = self._first(deployment, now)
        self.inference = ServingInference(model)
        log.info("model serves", serving=model.model_info.model_version, registry=str(registry.folder))

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self.look(time.monotonic())
            except Exception as error:
                log.exception("the registry's deployment was not followed", error=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, now: float) -> None:
        """Read the deployment, and take over what is not in service yet. `now` in monotonic seconds."""
        await self._take_out_failed(now)
        deployment = await asyncio.to_thread(self._read)
        if deployment is None:
            return
        wanted = (deployment.serving, deployment.candidate)
        self._failures = {version: each for version, each in self._failures.items() if version in wanted}
        await self._serve(deployment.serving, now)
        await self._try(deployment, now)

    def report(self) -> ModelReport:
        """The models in service, and why they are not those that are deployed."""
        why = [] if self._unreadable is None else [self._unreadable]
        why += [failure.why for failure in self._failures.values()]
        return replace(
            self.inference.report(),
            swaps=self._swaps,
            failures=self._failed,
            trouble=" ".join(why) or None,
        )

    def _read(self) -> Deployment | None:
        """The deployment; None, and noted, where it cannot be read."""
        before, self._unreadable = self._unreadable, None
        try:
            return self._registry.deployment()
        except StopWorker as error:
            self._unreadable = str(error)
        if self._unreadable != before:
            self._failed += 1
            log.error("the registry's deployment cannot be followed", reason=self._unreadable)
        return None

    def _first(self, deployment: Deployment, now: float) -> tuple[str | None, Inference]:
        """What serves; else what served before; else the model that workers have without a registry."""
        for version in dict.fromkeys((deployment.serving, deployment.previous)):
            if version is not None:
                try:
                    return version, self._load(version)
                except Exception as error:
                    self._note(version, error, now)
        return None, self._load(None)

    async def _serve(self, version: str | None, now: float) -> None:
        """Let a version serve from the next batch on."""
        if version == self._serving or self._waits(version, now):
            return
        model: Inference | None
        if version is not None and version == self._candidate:
            model = self.inference.serving.candidate
        else:
            await self._end_trial()
            model = await self._loaded(version, now)
        if model is None:
            return
        before = self.inference.model_info.model_version
        self._serving, self._candidate = version, None
        self._swaps += 1
        log.info("model swapped", serving=model.model_info.model_version, before=before)
        await self.inference.replace(Serving(model))

    async def _try(self, deployment: Deployment, now: float) -> None:
        """Try the deployment's candidate, as it says."""
        wanted = None if deployment.candidate == self._serving else deployment.candidate
        if wanted != self._candidate:
            await self._end_trial()
        if wanted is None or self._waits(wanted, now):
            return
        candidate = self.inference.serving.candidate
        if candidate is None:
            candidate = await self._loaded(wanted, now)
            if candidate is None:
                return
            self._candidate = wanted
            self._swaps += 1
        serving = Serving(
            self.inference.serving.model,
            candidate,
            deployment.canary_share,
            shadow=deployment.shadow is not None,
        )
        if serving != self.inference.serving:
            await self.inference.replace(serving)
            log.info(
                "model on trial",
                candidate=candidate.model_info.model_version,
                canary_share=serving.canary_share,
                shadow=serving.shadow,
            )

    async def _end_trial(self) -> None:
        """Let the candidate go, and wait until nothing holds it."""
        if self._candidate is None:
            return
        self._candidate = None
        await self.inference.replace(Serving(self.inference.serving.model))

    async def _take_out_failed(self, now: float) -> None:
        """A candidate that raised something at work judges no more."""
        failed, self.inference.failed = self.inference.failed, None
        if failed is not None and failed[0] is self.inference.serving.candidate:
            version, self._candidate = self._candidate, None
            await self.inference.replace(Serving(self.inference.serving.model))
            self._note(version, failed[1], now)

    async def _loaded(self, version: str | None, now: float) -> Inference | None:
        """A version, warm; None, and noted, where it cannot be had."""
        try:
            model = await asyncio.to_thread(self._load, version)
        except Exception as error:
            self._note(version, error, now)
            return None
        self._failures.pop(version, None)
        return model

    def _waits(self, version: str | None, now: float) -> bool:
        failure = self._failures.get(version)
        return failure is not None and now < failure.until

    def _note(self, version: str | None, error: Exception, now: float) -> None:
        """Say once more that a version is not in service, and leave it alone for a while."""
        name = "the model without a registry" if version is None else version
        reason = str(error) if isinstance(error, ShelfstreamError) else repr(error)
        self._failed += 1
        self._failures[version] = _Failure(
            f"{name} is deployed, but not in service: {reason}", now + RETRY_AFTER_S
        )
        log.error("a model is not in service", model=name, reason=reason)
