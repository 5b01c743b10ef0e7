"""Changes the probabilities of a shopper's next action by what happened in the session.

A Markov chain knows the last actions only. The tilt multiplies its probability of each action by the
exponential of a linear function of the session's features, and normalizes:

    p(action) = chain(action) * exp(bias[action] + weights[action] . z) * (1 - chain(leave)) / sum

with z the standardized features. Leaving keeps its probability: the features foretell it no better. This is
a multinomial logistic regression with the chain's log-probabilities as offset, so that what the chain learns
of one shopper still holds. With all weights zero it is the chain.
`models.training.behavior.next_behavior` fits the weights.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from models.arrays import Doubles
from models.behavior.session_features import FEATURES
from models.shipped import PRETRAINED
from schemas.errors import StopWorker

SHIPPED_TILT = PRETRAINED / "session_tilt.json"

VERSION = 1


class FittedTilt(msgspec.Struct, frozen=True, kw_only=True):
    """The weights of a tilt as they are stored, and their origin.

    Attributes:
        version: The version of this format.
        description: The data, the date and the command.
        features: The names of the features.
        mean: The mean of each feature in training.
        scale: The standard deviation of each feature in training, above zero.
        largest: The largest value of each feature in training. Larger values are taken for it.
        bias: By action, its constant.
        weights: By action, the weight of each standardized feature. Other actions have zeros.
    """

    version: int
    description: str
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    largest: tuple[float, ...]
    bias: dict[str, float]
    weights: dict[str, tuple[float, ...]]


class SessionTilt:
    """A fitted tilt, ready to be applied.

    Args:
        fitted: The weights.
        actions: The names of the actions, in the order of the probabilities.

    Raises:
        StopWorker: `fitted` has other features than this release, an unknown action, or lists of unequal
            length.
    """

    def __init__(self, fitted: FittedTilt, actions: Sequence[str]) -> None:
        lengths = {
            len(each) for each in (fitted.mean, fitted.scale, fitted.largest, *fitted.weights.values())
        }
        if fitted.features != FEATURES or lengths != {len(FEATURES)} or min(fitted.scale) <= 0:
            raise StopWorker("the session tilt does not have the features of this release; train it again")
        unknown = (fitted.weights.keys() | fitted.bias.keys()) - set(actions)
        if unknown:
            raise StopWorker(f"the session tilt has the unknown action {min(unknown)!r}; train it again")
        # The standardization goes into the weights, so that serving multiplies only.
        zeros = (0.0,) * len(FEATURES)
        weights = np.array([fitted.weights.get(name, zeros) for name in actions]) / np.array(fitted.scale)
        self._weights: Doubles = weights
        self._bias: Doubles = (
            np.array([fitted.bias.get(name, 0.0) for name in actions]) - weights @ fitted.mean
        )
        self._largest: Doubles = np.array(fitted.largest)

    @classmethod
    def load(cls, actions: Sequence[str], path: Path = SHIPPED_TILT) -> "SessionTilt":
        """Load a tilt from a JSON file.

        Raises:
            StopWorker: The file is missing, damaged, or of another version.
        """
        try:
            fitted = msgspec.json.decode(path.read_bytes(), type=FittedTilt)
        except (OSError, msgspec.MsgspecError) as error:
            raise StopWorker(f"{path} has no session tilt: {error}; restore the file or train it") from error
        if fitted.version != VERSION:
            raise StopWorker(f"{path} has version {fitted.version}, but this release reads version {VERSION}")
        return cls(fitted, actions)

    def apply(self, probabilities: Sequence[float], features: Sequence[float]) -> list[float]:
        """Return the tilted probabilities, above zero, with the same sum.

        Args:
            probabilities: The probability of each action, above zero.
            features: The features of a session, as `session_features` returns them.
        """
        logs = self._weights @ np.minimum(features, self._largest) + self._bias
        tilted = np.exp(logs - logs.max()) * probabilities
        result: list[float] = (tilted * (sum(probabilities) / tilted.sum())).tolist()
        return result
