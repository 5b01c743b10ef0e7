"""Loads the models that a registry's deployment names, and swaps them between batches."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from models.registry.deployment import Deployment
from models.registry.registry import Registry
from schemas.errors import ShelfstreamError, StopWorker
from streams.inference.model_report import ModelReport
from streams.inference.protocol import Inference
from streams.inference.serving import ServingInference, ServingModels

log = structlog.get_logger()

POLL_INTERVAL_S = 1.0
RETRY_AFTER_S = 60.0
"""Seconds until a model that could not be loaded is tried again. Its directory may have been repaired."""
RECENT_BATCH = 50
"""Recent listings per batch of a new model: small, as it shares the processors with the serving model."""
Load = Callable[[str | None], Inference]
"""Loads and warms up a version. None names the model of a worker without a registry."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """A version that could not be used.

    Attributes:
        reason: Why, as a sentence for the operator.
        retry_at: When to try again, in monotonic seconds.
    """

    reason: str
    retry_at: float


class ModelReloader:
    """Keeps the worker's models as the deployment names them. A model that cannot be loaded changes nothing.

    At most two models are in memory: the serving model, and one that is being loaded or on trial.

    Args:
        registry: The registry whose deployment is followed.
        load: Loads a version. Called in a thread, except by the constructor.
        now: Current time in monotonic seconds.

    Attributes:
        inference: Predicts with the current models.

    Raises:
        StopWorker: No model can be loaded, not even that of a worker without a registry.
    """

    def __init__(self, registry: Registry, load: Load, now: float) -> None:
        self._registry = registry
        self._load = load
        self._candidate: str | None = None
        self._deployment_error: str | None = None
        self._failures: dict[str | None, _Failure] = {}
        self._failure_count = self._swaps = 0
        deployment = self._read() or Deployment()
        self._serving, model = self._load_first(deployment, now)
        self.inference = ServingInference(model)
        log.info("model loaded", serving=model.model_info.model_version, registry=str(registry.folder))

    async def run(self) -> None:
        """Follow the deployment until cancelled."""
        while True:
            try:
                await self.check(time.monotonic())
            except Exception as error:
                log.exception("failed to follow the registry's deployment", error=str(error))
            await asyncio.sleep(POLL_INTERVAL_S)

    async def check(self, now: float) -> None:
        """Read the deployment, and load and swap the models that changed.

        Args:
            now: Current time in monotonic seconds.
        """
        await self._remove_failed_candidate(now)
        deployment = await asyncio.to_thread(self._read)
        if deployment is None:
            return
        wanted = (deployment.serving, deployment.candidate)
        self._failures = {version: each for version, each in self._failures.items() if version in wanted}
        await self._serve(deployment.serving, now)
        await self._try_candidate(deployment, now)

    def report(self) -> ModelReport:
        """Return the current models, and why they are not the deployed ones."""
        reasons = [] if self._deployment_error is None else [self._deployment_error]
        reasons += [failure.reason for failure in self._failures.values()]
        return replace(
            self.inference.report(),
            swaps=self._swaps,
            failures=self._failure_count,
            trouble=" ".join(reasons) or None,
        )

    def _read(self) -> Deployment | None:
        """Read the deployment. Returns None, and records the error, if it cannot be read."""
        before, self._deployment_error = self._deployment_error, None
        try:
            return self._registry.deployment()
        except StopWorker as error:
            self._deployment_error = str(error)
        if self._deployment_error != before:
            self._failure_count += 1
            log.error("cannot read the registry's deployment", reason=self._deployment_error)
        return None

    def _load_first(self, deployment: Deployment, now: float) -> tuple[str | None, Inference]:
        """Load the serving version, or else the previous one, or else the worker's own model."""
        for version in dict.fromkeys((deployment.serving, deployment.previous)):
            if version is not None:
                try:
                    return version, self._load(version)
                except Exception as error:
                    self._record_failure(version, error, now)
        return None, self._load(None)

    async def _serve(self, version: str | None, now: float) -> None:
        """Make `version` the serving model, unless it serves or has just failed."""
        if version == self._serving or self._waits_for_retry(version, now):
            return
        model: Inference | None
        if version is not None and version == self._candidate:
            model = self.inference.models.candidate
        else:
            await self._end_trial()
            model = await self._try_load(version, now)
        if model is None:
            return
        before = self.inference.model_info.model_version
        self._serving, self._candidate = version, None
        self._swaps += 1
        log.info("model swapped", serving=model.model_info.model_version, before=before)
        await self.inference.replace(ServingModels(model))

    async def _try_candidate(self, deployment: Deployment, now: float) -> None:
        """Load the deployment's candidate and set its share and shadow."""
        wanted = None if deployment.candidate == self._serving else deployment.candidate
        if wanted != self._candidate:
            await self._end_trial()
        if wanted is None or self._waits_for_retry(wanted, now):
            return
        candidate = self.inference.models.candidate
        if candidate is None:
            candidate = await self._try_load(wanted, now)
            if candidate is None:
                return
            self._candidate = wanted
            self._swaps += 1
        models = ServingModels(
            self.inference.models.model,
            candidate,
            deployment.canary_share,
            shadow=deployment.shadow is not None,
        )
        if models != self.inference.models:
            await self.inference.replace(models)
            log.info(
                "candidate on trial",
                candidate=candidate.model_info.model_version,
                canary_share=models.canary_share,
                shadow=models.shadow,
            )

    async def _end_trial(self) -> None:
        """Remove the candidate, and wait until it is closed."""
        if self._candidate is None:
            return
        self._candidate = None
        await self.inference.replace(ServingModels(self.inference.models.model))

    async def _remove_failed_candidate(self, now: float) -> None:
        """End the trial of a candidate that raised an error."""
        failure, self.inference.candidate_failure = self.inference.candidate_failure, None
        if failure is not None and failure[0] is self.inference.models.candidate:
            version, self._candidate = self._candidate, None
            await self.inference.replace(ServingModels(self.inference.models.model))
            self._record_failure(version, failure[1], now)

    async def _try_load(self, version: str | None, now: float) -> Inference | None:
        """Load a version in a thread. Returns None, and records the error, if it cannot be loaded.

        It predicts the recent listings first, so that its drift is known from its first batch on. The results
        are dropped.
        """
        try:
            model = await asyncio.to_thread(self._load, version)
        except Exception as error:
            self._record_failure(version, error, now)
            return None
        try:
            for batch in self.inference.recent.batches(RECENT_BATCH):
                await model.predict(batch)
        except asyncio.CancelledError:
            model.close()
            raise
        except Exception as error:
            model.close()
            self._record_failure(version, error, now)
            return None
        self._failures.pop(version, None)
        return model

    def _waits_for_retry(self, version: str | None, now: float) -> bool:
        failure = self._failures.get(version)
        return failure is not None and now < failure.retry_at

    def _record_failure(self, version: str | None, error: Exception, now: float) -> None:
        """Count and log the failure of a version, and set when to try it again."""
        name = "the worker's own model" if version is None else version
        reason = str(error) if isinstance(error, ShelfstreamError) else repr(error)
        self._failure_count += 1
        self._failures[version] = _Failure(
            f"{name} is deployed, but not in service: {reason}", now + RETRY_AFTER_S
        )
        log.error("deployed model not in service", model=name, reason=reason)
