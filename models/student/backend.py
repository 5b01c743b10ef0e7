"""The interface of the student's backends."""

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
