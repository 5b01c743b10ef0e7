"""Inference in a child process, so that the model and the lanes do not share one interpreter lock."""

import asyncio
import sys
import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue

import structlog

from models.drift.report import DriftReport
from models.enrichment.model_info import LoadedModelInfo, ModelInfo
from models.taxonomy.tree import Taxonomy
from schemas.errors import InferenceFailed, RetryLater, ShelfstreamError
from streams.backoff import Backoff
from streams.inference.messages import Listing, Predictions, PredictorConfig
from streams.inference.model_process import ModelProcess, PendingBatch
from streams.inference.wire import BatchResult, Failure

log = structlog.get_logger()

ATTEMPTS = 2
"""Number of times that the model's process may die or hang on one batch before the batch fails."""
TIMEOUT_S = 60.0
PROGRAM = (sys.executable, "-P", "-m", "streams.inference.child")


class InferenceProcess:
    """Runs the model in a child process. See `Inference`.

    Batches are sent as they come, so that the model always has the next one. A process that hangs is killed.
    If the process dies, it is started again and gets the unanswered batches once more. A batch on which it
    died `ATTEMPTS` times fails. Parts of such a batch fail at the first death, so that a bisection is short.

    Args:
        config: The model and how it runs.
        program: Command that runs the model.
        timeout_s: Seconds that a batch may take before the process hangs; see `ModelWatch`.

    Attributes:
        model_info: See `Inference.model_info`.
        cache_requests: See `Inference.cache_requests`.
        drift: See `Inference.drift`. At most a second old while listings come.
        restarts: See `Inference.restarts`. Includes processes that died while they loaded the model.
        hangs: See `Inference.hangs`.

    Raises:
        StopWorker: The model cannot be loaded.
        RetryLater: The process died while it loaded the model.
    """

    def __init__(
        self, config: PredictorConfig, program: Sequence[str] = PROGRAM, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._config, self._program, self._timeout_s = config, program, timeout_s
        self._taxonomy = Taxonomy.of(config.serving.taxonomy)
        self._queue: SimpleQueue[PendingBatch | ModelProcess | None] = SimpleQueue()
        self._closing = threading.Event()
        self._backoff = Backoff(0.1, 10.0)
        self.cache_requests = (0, 0)
        self.drift: DriftReport | None
        self.restarts = self.hangs = 0
        self._failure: str | None = None
        self._suspects: frozenset[tuple[str, int, int]] = frozenset()
        self.model_info: ModelInfo
        self._child: ModelProcess | None = self._start()
        threading.Thread(target=self._run, name="inference", daemon=True).start()

    async def predict(self, listings: Sequence[Listing]) -> Predictions:
        """See `Inference.predict`."""
        if self._closing.is_set():
            raise RetryLater("the model's process is being stopped")
        loop = asyncio.get_running_loop()
        batch = PendingBatch(listings, loop, loop.create_future())
        self._queue.put(batch)
        return await batch.future

    def close(self) -> None:
        """See `Inference.close`."""
        self._closing.set()
        self._queue.put(None)

    @property
    def pid(self) -> int | None:
        """Id of the process. None between the death of one process and the start of the next."""
        return None if self._child is None else self._child.process.pid

    @property
    def unavailable_reason(self) -> str | None:
        """See `Inference.unavailable_reason`."""
        child = self._child
        return self._failure if child is None else child.trouble

    # The supervising thread. No other thread starts processes or sends.

    def _run(self) -> None:
        """Send batches and restart processes that died, until `close`."""
        while (item := self._next()) is not None:
            if isinstance(item, ModelProcess):
                self._restart(item)
            else:
                self._send(item)
        if self._child is not None:
            self._child.end()

    def _next(self) -> PendingBatch | ModelProcess | None:
        """Return the next item. Starts the process meanwhile if it died and could not be started again."""
        while self._child is None:
            try:
                return self._queue.get(timeout=self._backoff.next())
            except Empty:
                self._start_again()
        return self._queue.get()

    def _start(self) -> ModelProcess:
        """Start a process and wait until its model is loaded.

        Raises:
            StopWorker: The model cannot be loaded.
            RetryLater: The process died or hung while it loaded the model.
        """
        child = ModelProcess(self._program, self._config, self._timeout_s)
        self.drift = None
        ready = child.wait_ready()
        if ready is None:
            how = self._record_death(child, "loading")
            raise RetryLater(f"the model's process {how} while it loaded the model")
        self.model_info = LoadedModelInfo(ready.model_version, self._taxonomy)
        threading.Thread(
            target=self._receive_replies, args=(child,), name="inference replies", daemon=True
        ).start()
        return child

    def _start_again(self) -> ShelfstreamError | None:
        """Start a process if none runs. Returns the error if that fails."""
        try:
            self._child = self._child or self._start()
        except ShelfstreamError as error:
            self._failure = f"{error}; it is started again"
            return error
        return None

    def _send(self, batch: PendingBatch) -> None:
        """Send a batch, and start a process first if none runs."""
        if batch.future.done():
            return
        error = self._start_again()
        if error is not None:
            batch.resolve(error)
        elif self._child is not None:
            # If the process has just died, `_receive_replies` says so and `_restart` sends the batch again.
            self._child.send(batch)

    def _restart(self, died: ModelProcess) -> None:
        """Start a new process after a pause, and send it the unanswered batches of the one that died."""
        how = self._record_death(died, "serving")
        self._failure = f"the model's process {how}; it is started again"
        self._child = None
        batches = list(died.unanswered)
        if batches:
            batches[0].deaths += 1
            if batches[0].deaths >= self._attempts(batches[0].listings):
                self._fail(batches.pop(0), how)
        self._closing.wait(self._backoff.next())
        if not self._closing.is_set():
            self._start_again()
        for batch in batches:
            self._send(batch)

    def _attempts(self, listings: Sequence[Listing]) -> int:
        """Return how often a process may die on a batch. Parts of the batch that failed last have one try."""
        return 1 if self._suspects.issuperset(map(_position, listings)) else ATTEMPTS

    def _fail(self, batch: PendingBatch, how: str) -> None:
        times = f"{batch.deaths} times" if batch.deaths > 1 else "once more"
        count = len(batch.listings)
        self._suspects = frozenset(map(_position, batch.listings))
        batch.resolve(
            InferenceFailed(f"the model's process died {times} on a batch of {count} listings: it {how}")
        )

    def _record_death(self, child: ModelProcess, phase: str) -> str:
        """Count and log the end of a process, and return how it ended."""
        self.restarts += 1
        if child.hang is not None:
            self.hangs += 1
            log.error("model process hung, killed it", reason=child.hang, phase=phase)
            return f"hung ({child.hang})"
        log.warning("model process died", exit_code=child.process.returncode, phase=phase)
        return f"exited with code {child.process.returncode}"

    # The receiving thread of each process.

    def _receive_replies(self, child: ModelProcess) -> None:
        """Resolve the batches of a process until it ends."""
        while (reply := child.receive()) is not None:
            if isinstance(reply, BatchResult):
                self._backoff.reset()
                hits, misses = self.cache_requests
                self.cache_requests = (hits + reply.cache_hits, misses + reply.cache_misses)
                self.drift = reply.drift or self.drift
            if isinstance(reply, BatchResult | Failure):
                child.answered(reply)
        child.stop()
        if self._closing.is_set():
            for batch in child.unanswered:
                batch.resolve(RetryLater("the model's process is being stopped"))
        self._queue.put(child)


def _position(listing: Listing) -> tuple[str, int, int]:
    return listing.topic, listing.partition, listing.offset
