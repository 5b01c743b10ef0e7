"""Fits the weights of `models.behavior.session_tilt` to steps of sessions.

The loss is the negative log-likelihood of the outcomes with a squared penalty on the weights, minimized by
Newton's method in double precision: the same steps give the same weights. Only steps after which another
action came count, with the probability of that action given that one came.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Doubles, Indices
from models.behavior.next_behavior import LEAVE, OUTCOMES, NextBehavior
from models.behavior.session_features import FEATURES
from models.behavior.session_tilt import VERSION, FittedTilt
from models.training.behavior.steps import Step

PENALTY = 30.0
"""The weight of the squared penalty, in observations. Chosen by cross-validation on the training sessions."""
_BIAS_PENALTY = 1.0
_STEPS_MAX = 50
_PRECISION = 1e-9

SAME_AS = {"click": "view", "favourite": "cart"}
"""Actions that the training data may lack, and the action whose weights they get then."""


def fit(chain: NextBehavior, steps: Sequence[Step], description: str, penalty: float = PENALTY) -> FittedTilt:
    """Fit a tilt.

    Args:
        chain: The Markov chain that the tilt changes.
        steps: Training steps.
        description: The data, the date and the command.
        penalty: The weight of the squared penalty, in observations.

    Returns:
        The weights of the actions that occur in `steps`, and of those that borrow theirs. Zeros if no action
        follows any step.
    """
    steps = [step for step in steps if step.features and step.outcome != LEAVE]
    if not steps:
        return _without_weights(description)
    seen = sorted({step.outcome for step in steps})
    features = np.array([step.features for step in steps], dtype=np.float64)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < _PRECISION] = 1.0
    inputs = np.hstack([np.ones((len(steps), 1)), (features - mean) / scale])
    offsets = np.log(np.array([list(chain.probabilities(s.previous, s.last, s.own).values()) for s in steps]))
    truth = np.array([seen.index(step.outcome) for step in steps])
    solution = _newton(inputs, offsets[:, seen], truth, penalty)
    bias = {OUTCOMES[code]: round(float(row[0]), 6) for code, row in zip(seen, solution, strict=True)}
    weights = {OUTCOMES[code]: _rounded(row[1:]) for code, row in zip(seen, solution, strict=True)}
    for name, like in SAME_AS.items():
        if name not in weights and like in weights:
            bias[name], weights[name] = bias[like], weights[like]
    return FittedTilt(
        version=VERSION,
        description=description,
        features=FEATURES,
        mean=_rounded(mean),
        scale=_rounded(scale),
        largest=_rounded(features.max(axis=0)),
        bias=bias,
        weights=weights,
    )


def _without_weights(description: str) -> FittedTilt:
    zeros, ones = (0.0,) * len(FEATURES), (1.0,) * len(FEATURES)
    return FittedTilt(
        version=VERSION,
        description=description,
        features=FEATURES,
        mean=zeros,
        scale=ones,
        largest=zeros,
        bias={},
        weights={},
    )


def _newton(inputs: Doubles, offsets: Doubles, truth: Indices, penalty: float) -> Doubles:
    """Return the weights of each action, shape (actions, inputs)."""
    actions, size = offsets.shape[1], inputs.shape[1]
    solution = np.zeros((actions, size))
    penalties = np.full(size, penalty)
    penalties[0] = _BIAS_PENALTY
    wanted = np.eye(actions)[truth]
    for _ in range(_STEPS_MAX):
        logits = offsets + inputs @ solution.T
        found = np.exp(logits - logits.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
        gradient = (found - wanted).T @ inputs + penalties * solution
        curvature = np.zeros((actions, size, actions, size))
        for one in range(actions):
            for other in range(actions):
                share = found[:, one] * ((one == other) - found[:, other])
                curvature[one, :, other, :] = inputs.T @ (inputs * share[:, None])
        matrix = curvature.reshape(actions * size, actions * size)
        matrix[np.diag_indices(actions * size)] += np.tile(penalties, actions)
        change = np.linalg.solve(matrix, gradient.ravel()).reshape(actions, size)
        solution -= change
        if np.abs(change).max() < _PRECISION:
            break
    return solution


def _rounded(values: Doubles) -> tuple[float, ...]:
    """Round to six digits after the point, so that another machine's last bits change no file."""
    return tuple(round(float(value), 6) for value in values)
