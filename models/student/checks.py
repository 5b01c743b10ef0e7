"""Checks at load time that the files of a student fit each other.

Digests prove that the files are those of the manifest. They do not prove that these belong together.
"""

import numpy as np

from models.student.artifact import Artifact
from models.student.backend import Backend
from schemas.errors import StopWorker


def check_student(artifact: Artifact, backend: Backend) -> None:
    """Run a student once and compare the result with its manifest.

    Raises:
        StopWorker: The student does not run, or its output has another shape or is not finite.
    """
    table, weights = artifact.tensor("table"), artifact.tensor("weights")
    try:
        # A table that is too short fails at the vocabulary's last row.
        output = backend.run(np.array([[1, len(table) - 1]], dtype=np.int32))
    except Exception as error:
        raise StopWorker(
            f"The model {artifact.path} does not run: {error}. Its files do not belong together: restore it."
        ) from error
    shapes = (output.logits.shape, output.embedding.shape)
    expected = ((1, weights.shape[1]), (1, table.shape[1]))
    finite = np.isfinite(output.logits).all() and np.isfinite(output.embedding).all()
    if shapes != expected or not finite:
        raise StopWorker(
            f"The graph of the model {artifact.path} gives {shapes}, its manifest says {expected}, all of it "
            "finite: its files do not belong together; restore it."
        )
