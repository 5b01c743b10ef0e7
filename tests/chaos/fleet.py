"""The workers of a campaign, under a supervisor that starts again whatever ends, and nothing more."""

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.kafka import StartableKafka
from tests.support.worker_process import WorkerProcess

_GOODBYE_S = 40.0
_LOOK_EVERY_S = 0.2


class Fleet:
    """Workers that are kept at a number.

    Args:
        broker: the broker that they work with.
        state: the folder of their state.
        launch: starts one more worker.
        size: how many the supervisor keeps alive.
        session_timeout_s: after which their group counts a silent one as dead.
        renew_model: lets another model serve.
        sweep_poison: feeds a block with poison in every position of a batch.

    Attributes:
        outlived_s: seconds that no session outlives.
        workers: those that live, as far as is known.
        crashed: the logs of those that ended by themselves.
        stuck: how many did not end when asked to.
    """

    def __init__(
        self,
        broker: StartableKafka,
        state: Path,
        launch: Callable[[], WorkerProcess],
        size: int,
        *,
        session_timeout_s: float,
        renew_model: Callable[[], None] = lambda: None,
        sweep_poison: Callable[[], None] = lambda: None,
    ) -> None:
        self.broker = broker
        self.state = state
        self.outlived_s = session_timeout_s + 2.0
        self.renew_model = renew_model
        self.sweep_poison = sweep_poison
        self.workers: list[WorkerProcess] = []
        self.crashed: list[Path] = []
        self.stuck = 0
        self._launch = launch
        self._size = size

    def start(self) -> WorkerProcess:
        """One more worker."""
        worker = self._launch()
        self.workers.append(worker)
        return worker

    def fill(self) -> None:
        """Start workers until there are as many as there should be."""
        while len(self.workers) < self._size:
            self.start()

    def any(self, dice: random.Random) -> WorkerProcess:
        """One of the living."""
        self.supervise()
        return dice.choice(self.workers)

    def supervise(self, sparing: WorkerProcess | None = None) -> None:
        """Replace what has ended by itself."""
        for worker in list(self.workers):
            if worker is not sparing and worker.process.poll() is not None:
                self.crashed.append(worker.log)
                self.workers.remove(worker)
        self.fill()

    def wait(self, seconds: float, sparing: WorkerProcess | None = None) -> None:
        """Let time pass under supervision."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.supervise(sparing)
            time.sleep(_LOOK_EVERY_S)

    def kill(self, worker: WorkerProcess, *, replace: bool = True) -> None:
        """End it as a power failure would."""
        worker.kill()
        self.workers.remove(worker)
        if replace:
            self.fill()

    def stop(self, worker: WorkerProcess) -> None:
        """Ask it to leave, and start another if there are too few then."""
        try:
            worker.stop(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self.stuck += 1
            worker.kill()
        self.workers.remove(worker)
        self.fill()

    def close(self) -> None:
        """End all."""
        for worker in self.workers:
            worker.kill()
        self.workers = []

    def state_files(self) -> list[Path]:
        """The files of the workers' stores."""
        return sorted(path for path in self.state.rglob("*") if path.is_file() and path.suffix != ".lock")
