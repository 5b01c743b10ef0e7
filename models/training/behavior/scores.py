"""How well a model foretells the next action of steps: AUC, log loss and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Booleans, Doubles, Indices
from models.behavior.next_behavior import ACTIONS, LEAVE, OUTCOMES, NextBehavior
from models.student.calibration import expected_calibration_error
from models.training.behavior.steps import Step
from schemas.events import Action

BINS = 15
PURCHASE, CART = ACTIONS.index(Action.PURCHASE), ACTIONS.index(Action.CART)


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of a model on steps; None where they do not exist.

    Those of actions are of steps after which another action came, given that one did. Those of leaving are
    of steps of which it is known whether the shopper left.

    Attributes:
        actions: The number of steps after which another action came.
        purchases: How many of them were purchases.
        purchase_auc: The probability that a step before a purchase is ranked above one before another action.
        cart_auc: The same of putting a product into the cart.
        action_loss: Mean negative log-likelihood of the action, in nats.
        purchase_error: Expected calibration error of the probability of a purchase, 15 bins.
        known: The number of steps of which it is known whether the shopper left.
        leave_auc: As `purchase_auc`, of leaving.
        loss: Mean negative log-likelihood of the outcome of these steps, in nats.
        leave_error: Expected calibration error of the probability of leaving, 15 bins.
    """

    actions: int
    purchases: int
    purchase_auc: float | None
    cart_auc: float | None
    action_loss: float | None
    purchase_error: float | None
    known: int
    leave_auc: float | None
    loss: float | None
    leave_error: float | None


def predict(model: NextBehavior, steps: Sequence[Step]) -> Doubles:
    """Return the probability of each outcome for each step, shape (steps, outcomes)."""
    rows = [
        list(model.probabilities(step.previous, step.last, step.own, step.features).values())
        for step in steps
    ]
    return np.array(rows).reshape(len(steps), len(OUTCOMES))


def score(model: NextBehavior, steps: Sequence[Step]) -> Scores:
    """Score a model on steps."""
    found = predict(model, steps)
    outcomes = np.array([step.outcome for step in steps], dtype=np.int64)
    known = np.array([step.known for step in steps], dtype=bool)
    acted = outcomes != LEAVE
    actions = found[acted, :LEAVE] / found[acted, :LEAVE].sum(axis=1, keepdims=True)
    action = outcomes[acted]
    return Scores(
        actions=int(acted.sum()),
        purchases=int((action == PURCHASE).sum()),
        purchase_auc=auc(actions[:, PURCHASE], action == PURCHASE),
        cart_auc=auc(actions[:, CART], action == CART),
        action_loss=_log_loss(actions, action),
        purchase_error=_calibration_error(actions[:, PURCHASE], action == PURCHASE),
        known=int(known.sum()),
        leave_auc=auc(found[known, LEAVE], outcomes[known] == LEAVE),
        loss=_log_loss(found[known], outcomes[known]),
        leave_error=_calibration_error(found[known, LEAVE], outcomes[known] == LEAVE),
    )


def auc(scores: Doubles, truth: Booleans) -> float | None:
    """Return the area under the ROC curve; equal scores count half. None if all of `truth` are the same."""
    positive, negative = np.sort(scores[truth]), np.sort(scores[~truth])
    if not len(positive) or not len(negative):
        return None
    below = np.searchsorted(negative, positive, side="left")
    not_above = np.searchsorted(negative, positive, side="right")
    return float((below + not_above).mean() / 2 / len(negative))


def _log_loss(found: Doubles, outcomes: Indices) -> float | None:
    return float(-np.log(found[np.arange(len(found)), outcomes]).mean()) if len(found) else None


def _calibration_error(found: Doubles, truth: Booleans) -> float | None:
    return float(expected_calibration_error(found, truth, BINS)) if len(found) else None
