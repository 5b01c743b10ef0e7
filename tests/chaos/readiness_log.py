"""What workers said at `/ready`, over time."""

import re
import threading
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.error import HTTPError

import orjson

from tests.support.worker_process import WorkerProcess

_EVERY_S = 0.5
_PARTITION = re.compile(r"\b[a-z]+ [a-z-]+-\d+ is ")
_DIGITS = re.compile(r"\d+([.,]\d+)*")


class ReadinessLog(threading.Thread):
    """A thread that asks workers for `/ready` until `finish` is called.

    Args:
        workers: Returns the workers.
    """

    def __init__(self, workers: Callable[[], Sequence[WorkerProcess]]) -> None:
        super().__init__(daemon=True)
        self._workers = workers
        self._end = threading.Event()
        self._lines: dict[str, str] = {}

    def run(self) -> None:
        """Ask until `finish` is called."""
        while not self._end.wait(_EVERY_S):
            for worker in list(self._workers()):
                for line in readiness(worker):
                    self._lines.setdefault(kind_of(line), line)

    def lines(self) -> list[str]:
        """Return the different reasons and warnings since `clear`, each as it was first said."""
        return list(self._lines.values())

    def clear(self) -> None:
        """Forget what was said."""
        self._lines = {}

    def finish(self) -> None:
        """Stop asking."""
        self._end.set()
        self.join()


def readiness(worker: WorkerProcess) -> list[str]:
    """Return the reasons and warnings of a worker's `/ready`; none if it does not answer."""
    with suppress(OSError, ValueError, KeyError):
        try:
            with urllib.request.urlopen(worker.url("ready"), timeout=3) as answer:
                body = answer.read()
        except HTTPError as error:
            body = error.read()
        page = orjson.loads(body)
        return [*page["reasons"], *page["warnings"]]
    return []


def kind_of(line: str) -> str:
    """A reason without the lane and the numbers that it names, so that those of all lanes are alike."""
    return _DIGITS.sub("#", _PARTITION.sub("", line))
