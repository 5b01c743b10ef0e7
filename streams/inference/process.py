"""The model in a process of its own, so that it and the lanes do not wait for one interpreter."""

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

import msgspec
import structlog

from models.drift.report import DriftReport
from models.enrichment.model_info import LoadedModelInfo, ModelInfo
from schemas.errors import InferenceFailed, RetryLater, ShelfstreamError
from streams.backoff import Backoff
from streams.inference.messages import InvalidListing, Listing, ModelChoice, Prediction
from streams.inference.wire import Answer, Failure, Frames, Ready, decode_word, encode

log = structlog.get_logger()

ATTEMPTS = 2
"""How often the model's process may die of one batch before the batch counts as at fault."""
PROGRAM = (sys.executable, "-P", "-m", "streams.inference.child")
_STOP_S = 10.0

Found = list[Prediction | InvalidListing]


@dataclass(eq=False, slots=True)
class _Batch:
    """Listings on their way, and who waits for them."""

    listings: Sequence[Listing]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Found]"
    deaths: int = 0

    def settle(self, found: Found | ShelfstreamError) -> None:
        """Tell the waiting lane, in its own thread; a lane or a loop that is gone needs no answer."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle, found)

    def _settle(self, found: Found | ShelfstreamError) -> None:
        if self.future.done():
            return
        if isinstance(found, ShelfstreamError):
            self.future.set_exception(found)
        else:
            self.future.set_result(found)


class _Child:
    """The model's process, started.

    Attributes:
        in_work: batches that it was sent and has not answered, in their order.
    """

    def __init__(self, program: Sequence[str], choice: ModelChoice) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*program, str(theirs.fileno()), msgspec.json.encode(choice).decode()],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the worker, which then lets this process end in order
            )
        self.frames = Frames(ours)
        self.in_work: deque[_Batch] = deque()

    def wait_ready(self) -> Ready:
        """Wait until the model is loaded.

        Raises:
            StopWorker: it cannot be.
            RetryLater: the process ended and did not say why.
        """
        frame = self.frames.receive()
        word = None if frame is None else decode_word(frame)
        if isinstance(word, Ready):
            return word
        self.end()
        if isinstance(word, Failure):
            raise word.error()
        raise RetryLater(f"the model's process ended with {self.process.returncode} before it was ready")

    def end(self) -> None:
        """End it, in order if it listens, and take its exit code."""
        self.frames.hang_up()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class InferenceProcess:
    """Runs the model in a process of its own; see `Inference`.

    Batches are sent as they come, so that the model always has the next one at hand. A process that dies is
    started again and given once more what it had not answered; what it was judging as it died is given up
    after `ATTEMPTS` deaths.

    Args:
        choice: the model.
        program: what runs it.

    Attributes:
        model_info: as `Inference.model_info`.
        cache_requests: as `Inference.cache_requests`.
        drift: as `Inference.drift`, at most a second old while listings come.
        restarts: as `Inference.restarts`.

    Raises:
        StopWorker: the model cannot be loaded.
        RetryLater: its process does not start.
    """

    def __init__(self, choice: ModelChoice, program: Sequence[str] = PROGRAM) -> None:
        self._choice, self._program = choice, program
        self._taxonomy = choice.tree()
        self._todo: SimpleQueue[_Batch | _Child | None] = SimpleQueue()
        self._closing = threading.Event()
        self._backoff = Backoff(0.1, 10.0)
        self.cache_requests = (0, 0)
        self.drift: DriftReport | None
        self.restarts = 0
        self.model_info: ModelInfo
        self._child: _Child | None = self._start()
        threading.Thread(target=self._keep, name="inference", daemon=True).start()

    async def judge(self, listings: Sequence[Listing]) -> Found:
        """As `Inference.judge`."""
        if self._closing.is_set():
            raise RetryLater("the model's process is being stopped")
        loop = asyncio.get_running_loop()
        batch = _Batch(listings, loop, loop.create_future())
        self._todo.put(batch)
        return await batch.future

    def close(self) -> None:
        """As `Inference.close`; does not wait for the process to end."""
        self._closing.set()
        self._todo.put(None)

    @property
    def pid(self) -> int | None:
        """The process; None between one that died and the next."""
        return None if self._child is None else self._child.process.pid

    # What the keeping thread does: it alone starts processes and sends.

    def _keep(self) -> None:
        while (each := self._todo.get()) is not None:
            if isinstance(each, _Child):
                self._replace(each)
            else:
                self._hand_over(each)
        if self._child is not None:
            with suppress(OSError):
                self._child.frames.send(b"")

    def _start(self) -> _Child:
        child = _Child(self._program, self._choice)
        self.drift = None
        self.model_info = LoadedModelInfo(child.wait_ready().model_version, self._taxonomy)
        threading.Thread(target=self._listen, args=(child,), name="inference answers", daemon=True).start()
        return child

    def _hand_over(self, batch: _Batch) -> None:
        if batch.future.done():
            return
        try:
            child = self._child = self._child or self._start()
        except ShelfstreamError as error:
            batch.settle(error)
            return
        child.in_work.append(batch)
        # If it has just died, who listens to it notices, and the batch is handed over again.
        with suppress(OSError):
            child.frames.send(encode(batch.listings))

    def _replace(self, died: _Child) -> None:
        log.warning("the model's process ended and is started again", code=died.process.returncode)
        self._child = None
        self.restarts += 1
        batches = list(died.in_work)
        if batches:
            batches[0].deaths += 1
            if batches[0].deaths >= ATTEMPTS:
                count = len(batches[0].listings)
                batches.pop(0).settle(
                    InferenceFailed(f"the model's process ended {ATTEMPTS} times over {count} listings")
                )
        self._closing.wait(self._backoff.next())
        for batch in batches:
            self._hand_over(batch)

    # What the listening thread of each process does.

    def _listen(self, child: _Child) -> None:
        while (frame := child.frames.receive()) is not None:
            word, batch = decode_word(frame), child.in_work.popleft()
            if isinstance(word, Answer):
                self._backoff.reset()
                hits, misses = self.cache_requests
                self.cache_requests = (hits + word.cache_hits, misses + word.cache_misses)
                self.drift = word.drift or self.drift
                batch.settle(word.found)
            elif isinstance(word, Failure):
                batch.settle(word.error())
        child.end()
        if self._closing.is_set():
            for batch in child.in_work:
                batch.settle(RetryLater("the model's process is being stopped"))
        self._todo.put(child)
