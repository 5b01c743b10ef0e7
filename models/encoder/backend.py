"""The interface of the text encoders' backends."""

from typing import Protocol

import numpy as np
import numpy.typing as npt


class TextEncoder(Protocol):
    """Runs one text encoder. Deterministic and thread-safe."""

    def run(self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Encode texts.

        Args:
            ids: Shape [texts, longest]: token ids, padded. There is at least one text.
            mask: Shape [texts, longest]: 1 for a token, 0 for padding. Padding follows the tokens.

        Returns:
            Unit vectors, shape [texts, dimensions].
        """
        ...
