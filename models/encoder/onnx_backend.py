"""Runs a text encoder's ONNX graph on the CPU."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.student.onnx_backend import open_session


class EncoderBackend:
    """Encodes token ids as unit vectors. Thread-safe; onnxruntime releases the GIL while it computes.

    Args:
        path: The graph, with the inputs `ids` and `mask` and the output `vectors`.
        threads: Threads within one batch.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._session = open_session(path, threads, "Export the encoder again.")

    def run(self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> Floats:
        """As `TextEncoder.run`."""
        (vectors,) = self._session.run(["vectors"], {"ids": ids, "mask": mask})
        return np.asarray(vectors, dtype=np.float32)
