"""Where a device runs out of memory, the batch is halved and tried again; the next ones are no larger."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.arrays import Indices
from models.encoder.backend import TextEncoder
from schemas.errors import RetryLater


class HalvingEncoder:
    """Runs another encoder in batches that its device has memory for. As thread-safe as that is.

    Args:
        encoder: The other one.
        ran_out: Whether an error of it says that memory ran out.

    Attributes:
        most: Texts that are tried at once; None until memory has run out.
    """

    def __init__(self, encoder: TextEncoder, ran_out: Callable[[Exception], bool]) -> None:
        self._encoder, self._ran_out = encoder, ran_out
        self.most: int | None = None

    def run(self, ids: Indices, mask: Indices) -> npt.NDArray[np.float32]:
        """As `TextEncoder.run`.

        Raises:
            RetryLater: There is not even memory for one text.
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
