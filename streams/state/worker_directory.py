"""Which folder of local state a worker uses: the first that no other worker on this machine holds."""

import fcntl
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from schemas.errors import StopWorker

_MOST_WORKERS = 256


class WorkerDirectory:
    """A locked folder below `root`, the same again after a restart, so that its state is found again.

    The lock is the kernel's and ends with the process, however it ends.

    Raises:
        StopWorker: no folder can be made or all are taken.
    """

    def __init__(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._lock, self.number = _first_free(root)
            self.path = root / f"worker-{self.number}"
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise StopWorker(
                f"cannot use the data folder {root}: {error}; set SHELFSTREAM_DATA_DIR"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()


def _first_free(root: Path) -> tuple[IO[str], int]:
    for number in range(_MOST_WORKERS):
        lock = (root / f"worker-{number}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return lock, number
    raise StopWorker(f"{_MOST_WORKERS} workers already use the data folder {root}")
