"""Validation of a trained student: held-out titles, unseen shops, and whether the cascade helps."""

from collections.abc import Sequence

import msgspec

from models.student.artifact import Measurement
from models.student.escalation import SecondStage
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.training.data.corpus import Example
from models.training.data.feedback_lines import SHOP as FEEDBACK
from models.training.progress import ProgressCallback
from models.training.run.fitting import CalibratedStudent, fit
from models.training.student.config import TrainingConfig
from models.training.student.evaluation import StudentPredictions, evaluate_groups


def evaluate_stages(
    model: CalibratedStudent, examples: Sequence[Example], taxonomy: Taxonomy, second: SecondStage | None
) -> list[Measurement]:
    """Evaluate the student alone and, if there is a second stage, the cascade.

    Args:
        model: Calibrated student.
        examples: Labeled examples to evaluate on.
        taxonomy: Label space.
        second: Second stage of the cascade, or None.

    Returns:
        One measurement per stage, shop and kind of text.
    """
    return [
        measurement
        for stage in ([None] if second is None else [None, second])
        for measurement in evaluate_groups(
            model.student, examples, taxonomy, model.temperature, model.thresholds, stage
        )
    ]


def leave_one_out(
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: ProgressCallback,
    second: SecondStage | None = None,
) -> list[Measurement]:
    """For each shop, train without it and evaluate on it. Feedback is left out.

    A shop is skipped if the other shops have no `train` or no `calibration` example.

    Args:
        examples: Labeled examples of shops.
        auxiliary: Examples that are from no shop.
        taxonomy: Label space.
        config: Hyperparameters.
        progress: Called after each training step.
        second: Second stage of the cascade, or None.

    Returns:
        Measurements with the prefix `unseen ` in their names.
    """
    examples = [example for example in examples if example.shop != FEEDBACK]
    measurements = []
    for shop in dict.fromkeys(example.shop for example in examples):
        others = [example for example in examples if example.shop != shop]
        if not {"train", "calibration"} <= {example.split for example in others}:
            continue
        model = fit(others, auxiliary, taxonomy, config, progress, f"Without {shop}")
        unseen = [example for example in examples if example.shop == shop]
        measurements += [
            msgspec.structs.replace(measurement, name=f"unseen {measurement.name}")
            for measurement in evaluate_stages(model, unseen, taxonomy, second)
        ]
    return measurements


def student_is_better_alone(
    model: CalibratedStudent, examples: Sequence[Example], taxonomy: Taxonomy, second: SecondStage
) -> bool:
    """Whether the student alone classifies the calibration titles better than the cascade does.

    The weight of the second stage was tuned on Google's taxonomy, whose category names are meaningful. Those
    of other taxonomies may not be, so this is False for Google's and computed for others.

    Args:
        model: Calibrated student.
        examples: Labeled examples; the `calibration` split counts.
        taxonomy: Label space.
        second: Second stage of the cascade.
    """
    if taxonomy.version == GOOGLE_VERSION:
        return False
    held_out = [example for example in examples if example.split == "calibration"]

    def correct(stage: SecondStage | None) -> float:
        predictions = StudentPredictions(model.student, held_out, taxonomy, model.temperature, stage)
        levels = range(1, min(2, taxonomy.lineage.shape[1]) + 1)
        return sum(float(predictions.at_level(level)[1].sum()) for level in levels)

    return correct(None) > correct(second)
