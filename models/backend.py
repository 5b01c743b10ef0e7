"""What runs the models' numbers: the interfaces that backends fulfil, and the student's own numbers."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Output:
    """What a backend answers for a batch.

    Attributes:
        logits: Shape [texts, categories], float32.
        embedding: Shape [texts, dimensions], float32: unit vectors, or zero for a text of unknown features.
    """

    logits: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]


class Backend(Protocol):
    """Runs one model. Deterministic and thread-safe; the ONNX backend holds no GIL while it computes."""

    def run(self, rows: npt.NDArray[np.int32]) -> Output:
        """Classify texts.

        Args:
            rows: Shape [texts, longest], rows of the feature table, padded with 0; texts may be 0.
        """
        ...


class TextEncoder(Protocol):
    """Runs one text encoder. Deterministic and thread-safe."""

    def run(self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Encode texts.

        Args:
            ids: Shape [texts, longest]: token ids, padded; at least one text.
            mask: Shape [texts, longest]: 1 for a token, 0 for padding, which follows the tokens.

        Returns:
            Shape [texts, dimensions]: unit vectors.
        """
        ...
