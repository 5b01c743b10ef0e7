"""How busy a GPU is, as nvidia-smi tells."""

import shutil
import subprocess
import threading
from types import TracebackType
from typing import Self

_LOOK_EVERY_S = 0.2
_QUERY = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]


class Utilisation:
    """Looks again and again for as long as its block lasts.

    Attributes:
        samples: what was seen, in percent.
    """

    def __init__(self, command: str = "nvidia-smi") -> None:
        self.samples: list[float] = []
        self._command = shutil.which(command)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        if self._command is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._command is not None:
            self._thread.join()

    @property
    def mean(self) -> float | None:
        """In percent; None where nvidia-smi is not there or told nothing."""
        return sum(self.samples) / len(self.samples) if self.samples else None

    def _look(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            asked = [str(self._command), *_QUERY]
            said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            if said.isdecimal():
                self.samples.append(float(said))
