"""A worker's locked directory for local state."""

import fcntl
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from schemas.errors import StopWorker

_MAX_WORKERS = 256


class WorkerDirectory:
    """The first directory below `root` that no other worker of this machine has locked.

    A restarted worker gets the same directory, and finds its state there. The kernel releases the lock when
    the process ends.

    Args:
        root: The setting `data_dir`.

    Raises:
        StopWorker: No directory can be created, or all are locked.
    """

    def __init__(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._lock, self.number = _first_free(root)
            self.path = root / f"worker-{self.number}"
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise StopWorker(
                f"cannot use the data directory {root}: {error}; set SHELFSTREAM_DATA_DIR"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()


def _first_free(root: Path) -> tuple[IO[str], int]:
    for number in range(_MAX_WORKERS):
        lock = (root / f"worker-{number}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return lock, number
    raise StopWorker(f"{_MAX_WORKERS} workers already use the data directory {root}")
