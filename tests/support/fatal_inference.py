"""A model process for tests, run as a script by `InferenceProcess`.

The value `fatal` kills the process, `hanging` waits forever and `failing` raises an error. Any other
value is its own prediction.
"""

import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

from streams.inference.child import main
from streams.inference.messages import Listing, Prediction


class FatalPredictor:
    """Predicts from the record's value alone."""

    model_version = "fatal-1"
    cache_requests = (0, 0)

    def drift_report(self) -> None:
        """Measure no drift."""

    def predict(self, listings: Sequence[Listing]) -> list[Prediction]:
        """See `Predictor.predict`."""
        for listing in listings:
            if listing.value == b"fatal":
                os.kill(os.getpid(), signal.SIGKILL)
            if listing.value == b"hanging":
                threading.Event().wait()
            if listing.value == b"failing":
                raise ArithmeticError("failing")
        return [Prediction("p", each.value, None, self.model_version) for each in listings]


if __name__ == "__main__":
    fatal: Any = FatalPredictor()
    main(lambda config: fatal)
