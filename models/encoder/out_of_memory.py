"""Halves batches for which the device runs out of memory; later batches are no larger."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.arrays import Indices
from models.encoder.backend import TextEncoder
from schemas.errors import RetryLater


class HalvingEncoder:
    """Runs an encoder in batches that fit its device's memory. Thread-safe if the encoder is.

    Args:
        encoder: The encoder that runs the batches.
        ran_out: Whether an error of the encoder means that memory ran out.

    Attributes:
        most: The most texts of one run; None until memory has run out once.
    """

    def __init__(self, encoder: TextEncoder, ran_out: Callable[[Exception], bool]) -> None:
        self._encoder, self._ran_out = encoder, ran_out
        self.most: int | None = None

    def run(self, ids: Indices, mask: Indices) -> npt.NDArray[np.float32]:
        """As `TextEncoder.run`.

        Raises:
            RetryLater: The device has no memory for a single text.
        """
        most = self.most
        if most is not None and len(ids) > most:
            parts = [self.run(ids[at : at + most], mask[at : at + most]) for at in range(0, len(ids), most)]
            return np.concatenate(parts)
        try:
            return self._encoder.run(ids, mask)
        except Exception as error:
            if not self._ran_out(error):
                raise
            if len(ids) <= 1:
                raise RetryLater(f"the device has no memory for one text: {error}") from error
            self.most = min(len(ids) // 2, self.most or len(ids))
        return self.run(ids, mask)
