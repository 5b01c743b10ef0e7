"""The reference backend: the student's arithmetic in numpy, on the same weights as the ONNX graph.

It is slower than onnxruntime. Tests compare the other backends with it.
"""

import numpy as np
import numpy.typing as npt

from models.student.artifact import Artifact
from models.student.backend import Output, pad_to_blocks


class NumpyBackend:
    """Runs the arrays of a student.

    Args:
        table: Shape [rows, dimensions], int8; row 0 is zero.
        scales: The factor of each row of the table, shape [rows], float32.
        weights: Shape [dimensions, categories], float32.
        bias: Shape [categories], float32.
        shrinkage: Added to the number of features by which their sum is divided.
    """

    def __init__(
        self,
        table: npt.NDArray[np.int8],
        scales: npt.NDArray[np.float32],
        weights: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        shrinkage: float,
    ) -> None:
        self._table, self._scales = table, scales
        self._weights, self._bias, self._shrinkage = weights, bias, np.float32(shrinkage)

    @classmethod
    def load(cls, artifact: Artifact) -> "NumpyBackend":
        """Read the arrays of a verified model directory."""
        return cls(
            artifact.tensor("table"),
            artifact.tensor("scales"),
            artifact.tensor("weights").astype(np.float32),
            artifact.tensor("bias"),
            artifact.manifest.shrinkage,
        )

    def run(self, rows: npt.NDArray[np.int32]) -> Output:
        """As `Backend.run`."""
        texts = len(rows)
        rows = pad_to_blocks(rows)
        vectors = self._table[rows].astype(np.float32) * self._scales[rows][..., None]
        known = (rows > 0).sum(axis=1, keepdims=True).astype(np.float32)
        hidden = vectors.sum(axis=1) / (known + self._shrinkage)
        norm = np.maximum(np.sqrt((hidden**2).sum(axis=1, keepdims=True)), np.float32(1e-6))
        return Output((hidden @ self._weights + self._bias)[:texts], (hidden / norm)[:texts])
