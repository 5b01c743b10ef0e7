"""Inference in a child process, so that the model and the lanes do not share one interpreter lock."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

import structlog

from models.drift.report import DriftReport
from models.enrichment.model_info import LoadedModelInfo, ModelInfo
from models.taxonomy.tree import Taxonomy
from schemas.errors import InferenceFailed, RetryLater, ShelfstreamError
from streams.backoff import Backoff
from streams.inference.messages import Listing, Predictions, PredictorConfig
from streams.inference.wire import (
    BatchResult,
    Failure,
    MessageSocket,
    Ready,
    decode_reply,
    encode,
    encode_config,
)

log = structlog.get_logger()

ATTEMPTS = 2
"""Number of times that the model's process may die on one batch before the batch fails."""
PROGRAM = (sys.executable, "-P", "-m", "streams.inference.child")
_STOP_TIMEOUT_S = 10.0


@dataclass(eq=False, slots=True)
class _Batch:
    """A batch that awaits its predictions.

    Attributes:
        listings: The records.
        loop: Event loop of the waiting lane.
        future: What the lane awaits.
        deaths: Number of processes that died while they predicted this batch.
    """

    listings: Sequence[Listing]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Predictions]"
    deaths: int = 0

    def resolve(self, result: Predictions | ShelfstreamError) -> None:
        """Pass the result or the error to the lane. Does nothing if its event loop is closed."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._resolve, result)

    def _resolve(self, result: Predictions | ShelfstreamError) -> None:
        if self.future.done():
            return
        if isinstance(result, ShelfstreamError):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class _Child:
    """A started model process.

    Attributes:
        process: The process.
        connection: The socket to it.
        unanswered: Batches that were sent and not answered, in order.
    """

    def __init__(self, program: Sequence[str], config: PredictorConfig) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*program, str(theirs.fileno()), encode_config(config).decode()],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the worker only, which stops this process in order
            )
        self.connection = MessageSocket(ours)
        self.unanswered: deque[_Batch] = deque()

    def wait_ready(self) -> Ready | None:
        """Wait until the model is loaded. Returns None if the process died while it loaded the model.

        Raises:
            StopWorker: The model cannot be loaded.
        """
        message = self.connection.receive()
        reply = None if message is None else decode_reply(message)
        if isinstance(reply, Ready):
            return reply
        self.stop()
        if isinstance(reply, Failure):
            raise reply.error()
        return None

    def stop(self) -> None:
        """Close the connection and wait for the exit code. Kills the process if it does not exit in time."""
        self.connection.close()
        try:
            self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class InferenceProcess:
    """Runs the model in a child process. See `Inference`.

    Batches are sent as they come, so that the model always has the next one. If the process dies, it is
    started again and gets the unanswered batches once more. A batch on which it died `ATTEMPTS` times fails.

    Args:
        config: The model and how it runs.
        program: Command that runs the model.

    Attributes:
        model_info: See `Inference.model_info`.
        cache_requests: See `Inference.cache_requests`.
        drift: See `Inference.drift`. At most a second old while listings come.
        restarts: See `Inference.restarts`. Includes processes that died while they loaded the model.

    Raises:
        StopWorker: The model cannot be loaded.
        RetryLater: The process died while it loaded the model.
    """

    def __init__(self, config: PredictorConfig, program: Sequence[str] = PROGRAM) -> None:
        self._config, self._program = config, program
        self._taxonomy = Taxonomy.of(config.serving.taxonomy)
        self._queue: SimpleQueue[_Batch | _Child | None] = SimpleQueue()
        self._closing = threading.Event()
        self._backoff = Backoff(0.1, 10.0)
        self.cache_requests = (0, 0)
        self.drift: DriftReport | None
        self.restarts = 0
        self.model_info: ModelInfo
        self._child: _Child | None = self._start()
        threading.Thread(target=self._run, name="inference", daemon=True).start()

    async def predict(self, listings: Sequence[Listing]) -> Predictions:
        """See `Inference.predict`."""
        if self._closing.is_set():
            raise RetryLater("the model's process is being stopped")
        loop = asyncio.get_running_loop()
        batch = _Batch(listings, loop, loop.create_future())
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

    # The supervising thread. No other thread starts processes or sends.

    def _run(self) -> None:
        """Send batches and restart processes that died, until `close`."""
        while (item := self._queue.get()) is not None:
            if isinstance(item, _Child):
                self._restart(item)
            else:
                self._send(item)
        if self._child is not None:
            with suppress(OSError):
                self._child.connection.send(b"")

    def _start(self) -> _Child:
        """Start a process and wait until its model is loaded.

        Raises:
            StopWorker: The model cannot be loaded.
            RetryLater: The process died while it loaded the model.
        """
        child = _Child(self._program, self._config)
        self.drift = None
        ready = child.wait_ready()
        if ready is None:
            self._record_death(child, "loading")
            raise RetryLater(
                f"the model's process exited with code {child.process.returncode} while it loaded the model"
            )
        self.model_info = LoadedModelInfo(ready.model_version, self._taxonomy)
        threading.Thread(
            target=self._receive_replies, args=(child,), name="inference replies", daemon=True
        ).start()
        return child

    def _send(self, batch: _Batch) -> None:
        """Send a batch, and start a process first if none runs."""
        if batch.future.done():
            return
        try:
            child = self._child = self._child or self._start()
        except ShelfstreamError as error:
            batch.resolve(error)
            return
        child.unanswered.append(batch)
        # If the process has just died, `_receive_replies` reports it and `_restart` sends the batch again.
        with suppress(OSError):
            child.connection.send(encode(batch.listings))

    def _restart(self, died: _Child) -> None:
        """Start a new process after a pause, and send it the unanswered batches of the one that died."""
        self._record_death(died, "serving")
        self._child = None
        batches = list(died.unanswered)
        if batches:
            batches[0].deaths += 1
            if batches[0].deaths >= ATTEMPTS:
                count = len(batches[0].listings)
                batches.pop(0).resolve(
                    InferenceFailed(
                        f"the model's process died {ATTEMPTS} times on a batch of {count} listings"
                    )
                )
        self._closing.wait(self._backoff.next())
        for batch in batches:
            self._send(batch)

    def _record_death(self, child: _Child, phase: str) -> None:
        log.warning("model process died", exit_code=child.process.returncode, phase=phase)
        self.restarts += 1

    # The receiving thread of each process.

    def _receive_replies(self, child: _Child) -> None:
        """Resolve the batches of a process until it ends."""
        while (message := child.connection.receive()) is not None:
            reply, batch = decode_reply(message), child.unanswered.popleft()
            if isinstance(reply, BatchResult):
                self._backoff.reset()
                hits, misses = self.cache_requests
                self.cache_requests = (hits + reply.cache_hits, misses + reply.cache_misses)
                self.drift = reply.drift or self.drift
                batch.resolve(reply.predictions)
            elif isinstance(reply, Failure):
                batch.resolve(reply.error())
        child.stop()
        if self._closing.is_set():
            for batch in child.unanswered:
                batch.resolve(RetryLater("the model's process is being stopped"))
        self._queue.put(child)
