"""One started model process: its socket, its unanswered batches, and the watch that kills it if it hangs."""

import asyncio
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from schemas.errors import ShelfstreamError
from streams.inference.messages import Listing, Predictions, PredictorConfig
from streams.inference.watch import ModelWatch
from streams.inference.wire import (
    BatchResult,
    Failure,
    Heartbeat,
    MessageSocket,
    Ready,
    Reply,
    decode_reply,
    encode,
    encode_config,
)

_STOP_TIMEOUT_S = 10.0
_WATCH_INTERVAL_S = 0.5


@dataclass(eq=False, slots=True)
class PendingBatch:
    """A batch that awaits its predictions.

    Attributes:
        listings: The records.
        loop: Event loop of the waiting lane.
        future: What the lane awaits.
        deaths: Number of processes that died or hung while they predicted this batch.
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


class ModelProcess:
    """A started model process.

    Args:
        program: Command that runs the model.
        config: The model and how it runs.
        timeout_s: Seconds that a batch may take; see `ModelWatch`.

    Attributes:
        process: The process.
        unanswered: Batches that were sent and not answered, in order.
        hang: How the process hung, before it was killed for that. None if it did not.
    """

    def __init__(self, program: Sequence[str], config: PredictorConfig, timeout_s: float) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*program, str(theirs.fileno()), encode_config(config).decode()],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the worker only, which stops this process in order
            )
        self._connection = MessageSocket(ours)
        self._stopped = threading.Event()
        self._watch = ModelWatch(timeout_s, time.monotonic())
        self.unanswered: deque[PendingBatch] = deque()
        self.hang: str | None = None
        threading.Thread(target=self._kill_if_it_hangs, name="inference watch", daemon=True).start()

    @property
    def trouble(self) -> str | None:
        """A sentence if the process seems to hang. None if it does not seem so."""
        return self._watch.trouble()

    def wait_ready(self) -> Ready | None:
        """Wait until the model is loaded. Returns None if the process died or hung while it loaded the model.

        Raises:
            StopWorker: The model cannot be loaded.
        """
        reply = self.receive()
        if isinstance(reply, Ready):
            self._watch.loaded()
            return reply
        self.stop()
        if isinstance(reply, Failure):
            raise reply.error()
        return None

    def send(self, batch: PendingBatch) -> None:
        """Send a batch. Nothing is raised if the process is dead: `receive` tells it."""
        self.unanswered.append(batch)
        self._watch.sent(len(batch.listings))
        with suppress(OSError):
            self._connection.send(encode(batch.listings))

    def end(self) -> None:
        """Let the process end after its batches. One that seems to hang is killed."""
        if self._watch.trouble() is not None:
            self.process.kill()
        with suppress(OSError):
            self._connection.send(b"")

    def receive(self) -> Reply | None:
        """Wait for the next reply that is no heartbeat. Returns None once the process is dead."""
        while (message := self._connection.receive()) is not None:
            self._watch.heard()
            reply: Reply = decode_reply(message)
            if not isinstance(reply, Heartbeat):
                return reply
        return None

    def answered(self, reply: BatchResult | Failure) -> PendingBatch:
        """Return the batch of which this is the reply, and pass it the result."""
        batch = self.unanswered.popleft()
        self._watch.answered()
        batch.resolve(reply.predictions if isinstance(reply, BatchResult) else reply.error())
        return batch

    def stop(self) -> None:
        """Close the connection and wait for the exit code. Kills the process if it does not exit in time."""
        self._connection.close()
        try:
            self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._stopped.set()

    def _kill_if_it_hangs(self) -> None:
        """Kill the process when it hangs. Its connection then ends, as when it dies by itself."""
        while not self._stopped.wait(_WATCH_INTERVAL_S):
            if (hang := self._watch.hang(time.monotonic())) is not None:
                self.hang = hang
                self.process.kill()
                return
