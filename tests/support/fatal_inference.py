"""A model's process of which some listings are the end: run as a script by `InferenceProcess`.

A title of `fatal` kills it, `failing` raises; any other listing is its own prediction.
"""

import os
import signal
from collections.abc import Sequence
from typing import Any

from streams.inference.child import main
from streams.inference.messages import Listing, Prediction


class FatalJudge:
    """Judges by the title alone."""

    model_version = "fatal-1"
    cache_requests = (0, 0)

    def drift_report(self) -> None:
        """Nobody watches."""

    def __call__(self, listings: Sequence[Listing]) -> list[Prediction]:
        """See `Predictor`."""
        for listing in listings:
            if listing.value == b"fatal":
                os.kill(os.getpid(), signal.SIGKILL)
            if listing.value == b"failing":
                raise ArithmeticError("failing")
        return [Prediction("p", each.value, None, self.model_version) for each in listings]


if __name__ == "__main__":
    fatal: Any = FatalJudge()
    main(lambda choice: fatal)
