"""The interface of the student's backends."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.arrays import BLOCK


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
    """Runs one model. Thread-safe. The ONNX backend releases the GIL while it computes.

    The result for a text has the same bytes whatever its padding and the other texts of the batch.
    """

    def run(self, rows: npt.NDArray[np.int32]) -> Output:
        """Classify texts.

        Args:
            rows: Rows of the feature table, shape [texts, longest], padded with 0. There may be no texts.
        """
        ...


def pad_to_blocks(rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Pad a batch to whole blocks of texts and features.

    A matrix product sums what is beyond the last whole block in another order, so that the last bits of a
    text's result would depend on the shape of its batch.

    Args:
        rows: Shape [texts, longest], padded with 0.

    Returns:
        Shape [texts, longest], both rounded up to a multiple of `BLOCK`; the batch itself if it has no texts.
    """
    texts, longest = rows.shape
    if not texts:
        return rows
    return np.pad(rows, ((0, -texts % BLOCK), (0, -longest % BLOCK)))
