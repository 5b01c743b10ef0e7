"""The backend that serves the student: onnxruntime on the CPU."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.student.artifact import Artifact
from models.student.backend import Output, pad_to_blocks
from schemas.errors import StopWorker

PROCESSOR = "CPUExecutionProvider"


def open_session(
    graph: Path | bytes, threads: int, remedy: str, providers: Sequence[str] = (PROCESSOR,)
) -> ort.InferenceSession:
    """Open an ONNX graph.

    Args:
        graph: The ONNX file, or its content.
        threads: Threads within one batch.
        remedy: A sentence for the error message: what to do if onnxruntime refuses the graph.
        providers: Execution providers in order of preference; the processor if not given.

    Raises:
        StopWorker: The file is missing or is not a graph.
    """
    # Product listings are confidential, so onnxruntime may send no telemetry.
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning thread pool would occupy the core that the event loop needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = graph if isinstance(graph, bytes) else str(graph)
    try:
        return ort.InferenceSession(content, options, providers=list(providers))
    except Exception as error:
        name = "the rebuilt graph" if isinstance(graph, bytes) else graph
        raise StopWorker(f"onnxruntime refuses {name}: {error}. {remedy}") from error


class OnnxBackend:
    """Runs a model's ONNX graph. onnxruntime releases the GIL while it computes.

    Args:
        artifact: The verified model directory.
        threads: Threads within one batch. One is enough if several partitions run in parallel.
    """

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self._session = open_session(artifact.path / "student.onnx", threads, "Train the model again.")

    def run(self, rows: npt.NDArray[np.int32]) -> Output:
        """As `Backend.run`."""
        logits, embedding = self._session.run(["logits", "embedding"], {"rows": pad_to_blocks(rows)})
        return Output(logits[: len(rows)], embedding[: len(rows)])
