"""The backend that serves the student: onnxruntime on the CPU."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.student.artifact import Artifact
from models.student.backend import Output
from schemas.errors import StopWorker

PROCESSOR = "CPUExecutionProvider"


def session_of(
    path: Path, threads: int, remedy: str, providers: Sequence[str] = (PROCESSOR,)
) -> ort.InferenceSession:
    """A graph ready to run.

    Args:
        path: The ONNX file.
        threads: Threads within one batch.
        remedy: What to do where onnxruntime refuses it, as a sentence.
        providers: What runs it, the first that can; the processor if not given.

    Raises:
        StopWorker: It is missing or no graph.
    """
    # Catalogues are confidential: nothing about a worker's sessions may leave it.
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning pool would take the core that the event loop needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:
        raise StopWorker(f"onnxruntime refuses {path}: {error}. {remedy}") from error


class OnnxBackend:
    """Runs a model's ONNX graph. onnxruntime releases the GIL while it computes.

    Args:
        artifact: The verified model folder.
        threads: Threads within one batch; one a core is not needed, as partitions run side by side.
    """

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self._session = session_of(artifact.path / "student.onnx", threads, "Train the model again.")

    def run(self, rows: npt.NDArray[np.int32]) -> Output:
        """As `Backend.run`."""
        logits, embedding = self._session.run(["logits", "embedding"], {"rows": rows})
        return Output(logits, embedding)
