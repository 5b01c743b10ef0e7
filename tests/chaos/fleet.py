"""The workers of a campaign, and a supervisor that restarts a worker that ends."""

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.broker import StartableKafka
from tests.support.worker_process import WorkerProcess

_SHUTDOWN_TIMEOUT_S = 90.0
_SUPERVISE_EVERY_S = 0.2


class Fleet:
    """A fixed number of workers.

    Args:
        broker: The workers' broker.
        state: The directory of the workers' state.
        launch: Starts one more worker.
        size: The number of workers to keep alive.
        session_timeout_s: The workers' session timeout in seconds.
        promote_model: Makes another model the serving one.
        feed_poison_sweep: Feeds a block with a poison record in every position of a batch.

    Attributes:
        session_expired_after_s: Seconds after which the group has removed a silent worker.
        workers: The workers that were alive at the last look.
        crashed: The logs of workers that ended by themselves.
        stuck: The number of workers that did not end after SIGTERM.
    """

    def __init__(
        self,
        broker: StartableKafka,
        state: Path,
        launch: Callable[[], WorkerProcess],
        size: int,
        *,
        session_timeout_s: float,
        promote_model: Callable[[], None] = lambda: None,
        feed_poison_sweep: Callable[[], None] = lambda: None,
    ) -> None:
        self.broker = broker
        self.state = state
        self.session_expired_after_s = session_timeout_s + 2.0
        self.promote_model = promote_model
        self.feed_poison_sweep = feed_poison_sweep
        self.workers: list[WorkerProcess] = []
        self.crashed: list[Path] = []
        self.stuck = 0
        self._launch = launch
        self._size = size

    def start(self) -> WorkerProcess:
        """Start one more worker."""
        worker = self._launch()
        self.workers.append(worker)
        return worker

    def fill(self) -> None:
        """Start workers until there are `size` of them."""
        while len(self.workers) < self._size:
            self.start()

    def choose(self, rng: random.Random) -> WorkerProcess:
        """Choose a live worker at random."""
        self.supervise()
        return rng.choice(self.workers)

    def supervise(self, frozen: WorkerProcess | None = None) -> None:
        """Replace workers that have ended by themselves.

        Args:
            frozen: A worker that is not looked at.
        """
        for worker in list(self.workers):
            if worker is not frozen and worker.process.poll() is not None:
                self.crashed.append(worker.log)
                self.workers.remove(worker)
        self.fill()

    def wait(self, seconds: float, frozen: WorkerProcess | None = None) -> None:
        """Sleep under supervision. See `supervise`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.supervise(frozen)
            time.sleep(_SUPERVISE_EVERY_S)

    def kill(self, worker: WorkerProcess, *, replace: bool = True) -> None:
        """End a worker with SIGKILL, as a power failure would."""
        worker.kill()
        self.workers.remove(worker)
        if replace:
            self.fill()

    def stop(self, worker: WorkerProcess, *, replace: bool = True) -> None:
        """End a worker with SIGTERM, and with SIGKILL if it does not end."""
        try:
            worker.stop(_SHUTDOWN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.stuck += 1
            worker.kill()
        self.workers.remove(worker)
        if replace:
            self.fill()

    def close(self) -> None:
        """Kill all workers."""
        for worker in self.workers:
            worker.kill()
        self.workers = []

    def state_files(self) -> list[Path]:
        """List the files of the workers' stores."""
        return sorted(path for path in self.state.rglob("*") if path.is_file() and path.suffix != ".lock")
