"""The evaluation of the next action as a table: chains and the shipped kind of model on later sessions."""

from collections.abc import Mapping, Sequence

from models.behavior.evaluation.learning import Progress, Split
from models.behavior.evaluation.score_table import ScoreRow, ScoreTable
from models.behavior.next_behavior import shipped_next_behavior
from models.training.behavior.held_out import WITH_SESSION, held_out_steps, model_scores
from models.training.behavior.scores import Scores, score
from models.training.behavior.steps import Step
from schemas.keys import shopper_id

AS_SHIPPED = "as shipped"
COLUMNS = (
    "AUC of purchase",
    "AUC of cart",
    "log loss of the action",
    "ECE of purchase",
    "AUC of leaving",
    "log loss with leaving",
    "ECE of leaving",
)


def evaluate_next_action(split: Split, progress: Progress) -> ScoreTable:
    """Score the next action in sessions that begin after a time.

    Args:
        split: Events before the time are learned from; sessions that begin from it on are scored.
        progress: Receives the phases.

    Returns:
        One row per model. None where the events have no such action.
    """
    progress("Learning", 0, 2)
    training, scored = held_out_steps([*split.learned, *split.scored], shopper_id, split.start)
    progress("Learning", 1, 2)
    found = model_scores(training, scored) if training and scored else {}
    if scored:
        found[AS_SHIPPED] = score(shipped_next_behavior(), scored)
    progress("Learning", 2, 2)
    return ScoreTable(
        title="next action",
        columns=COLUMNS,
        rows=[
            ScoreRow(name, _values(each), name in (WITH_SESSION, AS_SHIPPED)) for name, each in found.items()
        ],
        notes=_notes(training, scored, found),
    )


def _notes(training: Sequence[Step], scored: Sequence[Step], found: Mapping[str, Scores]) -> list[str]:
    learned = f"Learned from {len(training):,} steps before the time"
    notes = [f"{learned}; scored {len(scored):,} steps of sessions that began later."]
    if found:
        one = next(iter(found.values()))
        notes.append(
            f"{one.purchases:,} of {one.actions:,} actions were purchases; of {one.known:,} steps it is known"
            " whether the shopper left."
        )
    shipped = "The shipped model learned from the sample of REES46: there its row is no evidence."
    return [*notes, shipped]


def _values(scores: Scores) -> tuple[float | None, ...]:
    return (
        scores.purchase_auc,
        scores.cart_auc,
        scores.action_loss,
        scores.purchase_error,
        scores.leave_auc,
        scores.loss,
        scores.leave_error,
    )
