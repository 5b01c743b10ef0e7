"""The interface of the student's backends."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Output:
    """The result of a backend for a batch.

    Attributes:
        logits: Shape [texts, categories], float32.
        embedding: Unit vectors, shape [texts, dimensions], float32; zero for a text without known features.
    """

    logits: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]


class Backend(Protocol):
    """Runs one model. Deterministic and thread-safe. The ONNX backend releases the GIL while it computes."""

    def run(self, rows: npt.NDArray[np.int32]) -> Output:
        """Classify texts.

        Args:
            rows: Rows of the feature table, shape [texts, longest], padded with 0. There may be no texts.
        """
        ...
