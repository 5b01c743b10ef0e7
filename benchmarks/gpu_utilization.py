"""Measures how busy a GPU is, with nvidia-smi."""

import shutil
import subprocess
import threading
from types import TracebackType
from typing import Self

_INTERVAL_S = 0.2
_QUERY = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]


class Utilization:
    """Samples a GPU's utilization while its `with` block runs.

    Args:
        command: The program to call in place of nvidia-smi.

    Attributes:
        samples: Utilizations in percent.
    """

    def __init__(self, command: str = "nvidia-smi") -> None:
        self.samples: list[float] = []
        self._command = shutil.which(command)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        if self._command is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._command is not None:
            self._thread.join()

    @property
    def mean(self) -> float | None:
        """The mean utilization in percent; None if nvidia-smi is missing or printed no number."""
        return sum(self.samples) / len(self.samples) if self.samples else None

    def _sample(self) -> None:
        while not self._stopped.wait(_INTERVAL_S):
            command = [str(self._command), *_QUERY]
            output = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
            if output.isdecimal():
                self.samples.append(float(output))
