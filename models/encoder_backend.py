"""Runs a text encoder's ONNX graph on the CPU."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.prototypes import Floats
from schemas.errors import StopWorker


class EncoderBackend:
    """From token ids to unit vectors. Thread-safe; onnxruntime releases the GIL while it computes.

    Args:
        path: The graph, with the inputs `ids` and `mask` and the output `vectors`.
        threads: Threads within one batch.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        # Catalogues are confidential: nothing about a worker's sessions may leave it.
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A spinning pool would take the core that the event loop needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise StopWorker(f"onnxruntime refuses {path}: {error}. Export the encoder again.") from error

    def run(self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> Floats:
        """Encode texts.

        Args:
            ids: Shape [texts, longest]: token ids, padded.
            mask: Shape [texts, longest]: 1 for a token, 0 for padding.

        Returns:
            Shape [texts, dimensions]: unit vectors.
        """
        (vectors,) = self._session.run(["vectors"], {"ids": ids, "mask": mask})
        return np.asarray(vectors, dtype=np.float32)
