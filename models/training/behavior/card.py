"""The model card of the next action, and the figures in it, as Markdown."""

from collections.abc import Mapping
from math import sqrt

from models.behavior.next_behavior import TransitionCounts
from models.behavior.session_tilt import FittedTilt
from models.training.behavior.scores import Scores

_TEXT = """# Model card: next action

## Description

The probability of each action as a shopper's next one in the session, and of leaving: `next_behavior` of
`shopper-updated`. Two files:

- `next_behavior.json`: counted transitions of a Markov chain of the two last actions. A shopper's own counts
  are smoothed by it.
- `session_tilt.json`: weights of a multinomial logistic regression of the next action, given that one comes,
  with the chain's log-probabilities as offset, on {features} features of the session:
  {names}.
  Leaving keeps the chain's probability.

A session without these features (an earlier release began it, or it has no product yet) gets the chain alone.

Training command: `{command} --data FOLDER`. It is deterministic.

## Training data

{description} {sessions:,} sessions. The files hold counts and weights, and no product, shopper or row.

Most of these sessions were active in the last half hour of the data, so that it is not known whether the
shopper left. Leaving is learned from the others. The shop had no clicks and no favorites: a click has the
weights of a view, a favorite those of a cart action.

## Evaluation

{figures}

A step is one event. Actions are steps after which another action came: learned from events before the time
at which 70% of the sessions had begun, scored on sessions that began later. Leaving is scored on steps of
which it is known whether the shopper left, split in the same way among the sessions with such steps. The
standard error of the last AUC of a purchase is {error:.2f} (Hanley and McNeil, 1982).

## Intended use and limits

Three night hours of one shop. The order of shoppers by their probability of a purchase carries over to other
shops better than the probabilities do: these are calibrated to that shop, until a shopper's own counts
outweigh them, from about 20 events on. Few sessions tell who leaves, and leaving is hardly foretold. Features
beyond the largest of the training data are taken for that.
"""


def render_card(
    command: str,
    counts: TransitionCounts,
    tilt: FittedTilt,
    for_actions: Mapping[str, Scores],
    for_leaving: Mapping[str, Scores],
) -> str:
    """Render the card as Markdown."""
    return _TEXT.format(
        features=len(tilt.features),
        names=", ".join(f"`{name}`" for name in tilt.features),
        command=command,
        description=counts.description,
        sessions=counts.sessions,
        figures=figures(for_actions, for_leaving),
        error=_standard_error(list(for_actions.values())[-1]),
    )


def figures(for_actions: Mapping[str, Scores], for_leaving: Mapping[str, Scores]) -> str:
    """Render the two tables of figures as Markdown."""
    actions, leaving = next(iter(for_actions.values())), next(iter(for_leaving.values()))
    head = f"{actions.actions:,} actions, {actions.purchases} of them purchases"
    lines = [
        f"| {head} | AUC of purchase | AUC of cart | log loss | ECE of purchase |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, each in for_actions.items():
        lines.append(_line(name, each.purchase_auc, each.cart_auc, each.action_loss, each.purchase_error))
    lines += [
        "",
        f"| leaving, {leaving.known:,} steps | AUC of leaving | log loss | ECE of leaving |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, each in for_leaving.items():
        lines.append(_line(name, each.leave_auc, each.loss, each.leave_error))
    return "\n".join(lines)


def _line(name: str, *values: float | None) -> str:
    cells = ("–" if value is None else f"{value:.3f}" for value in values)
    return f"| {name} | {' | '.join(cells)} |"


def _standard_error(scores: Scores) -> float:
    """Return the standard error of the AUC of a purchase."""
    area, positive = scores.purchase_auc or 0.0, scores.purchases
    negative = scores.actions - positive
    if not positive or not negative:
        return 0.0
    both_positive, both_negative = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area)
    variance += (positive - 1) * (both_positive - area**2) + (negative - 1) * (both_negative - area**2)
    return sqrt(variance / (positive * negative))
