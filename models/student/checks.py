"""Whether the files of a student fit each other, checked when it is loaded.

Digests prove that the files are those of the manifest. They do not prove that these belong together.
"""

import numpy as np

from models.student.artifact import Artifact
from models.student.backend import Backend
from schemas.errors import StopWorker


def check_student(artifact: Artifact, backend: Backend) -> None:
    """Run a student once.

    Raises:
        StopWorker: It does not run, or what comes out is not what its manifest says.
    """
    table, weights = artifact.tensor("table"), artifact.tensor("weights")
    try:
        # The vocabulary's last row too: a table that is too short fails here.
        output = backend.run(np.array([[1, len(table) - 1]], dtype=np.int32))
    except Exception as error:
        raise StopWorker(
            f"The model {artifact.path} does not run: {error}. Its files do not belong together: restore it."
        ) from error
    shapes = (output.logits.shape, output.embedding.shape)
    wanted = ((1, weights.shape[1]), (1, table.shape[1]))
    finite = np.isfinite(output.logits).all() and np.isfinite(output.embedding).all()
    if shapes != wanted or not finite:
        raise StopWorker(
            f"The graph of the model {artifact.path} gives {shapes}, its manifest says {wanted}, all of it "
            "finite: its files do not belong together; restore it."
        )
