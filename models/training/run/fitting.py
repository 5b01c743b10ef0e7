"""Training and calibration of a student on labeled examples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.student.artifact import ThresholdChoice
from models.student.calibration import fit_temperature
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example
from models.training.private.training import PrivateTraining, train_private
from models.training.progress import ProgressCallback, loss_reporter
from models.training.student.config import TrainingConfig
from models.training.student.evaluation import StudentPredictions, choose_thresholds
from models.training.student.student import Student, count_matrix
from models.training.student.support_vectors import fit_support_vectors, join
from models.training.student.thresholds import choose_bounded_thresholds
from models.training.student.trainer import train
from schemas.errors import StopWorker

TARGET_PRECISION = 0.98
"""Precision that the thresholds of Google's taxonomy reach on calibration titles."""
MIN_THRESHOLDS = (0.93, 0.95, 0.99)
"""Lower bounds of the thresholds of levels 1, 2 and 3. Calibration titles are from known shops; on unknown
shops the confidences are less reliable. With these bounds at least 95% of what the cascade publishes is
right, on average over shops that it was not trained on."""
STUDENT_WEIGHTS = (1.0, 0.6, 0.3)
"""Weights of the student beside support vectors that are tried on calibration titles."""


@dataclass(frozen=True)
class CalibratedStudent:
    """A student with the temperature and thresholds that were fitted on calibration titles.

    Attributes:
        student: Trained parameters.
        temperature: Divisor of the logits.
        thresholds: Least confidence at which a category of level 1, 2, … is published.
        student_weight: Factor of the student's logits beside support vectors; None if there are none.
        target_precision: Precision that the thresholds should reach, if they were chosen with a bound.
        choices: How the thresholds were chosen with a bound, level by level; empty if they were not.
    """

    student: Student
    temperature: float
    thresholds: list[float]
    student_weight: float | None = None
    target_precision: float = 0.0
    choices: tuple[ThresholdChoice, ...] = ()


def fit(
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: ProgressCallback,
    name: str,
) -> CalibratedStudent:
    """Train on the `train` split and the auxiliary examples, and calibrate on the `calibration` split.

    Args:
        examples: Labeled examples of shops.
        auxiliary: Examples that are from no shop: category names and distilled texts.
        taxonomy: Label space.
        config: Hyperparameters.
        progress: Called after each training step.
        name: Name of the phase for `progress` and error messages.

    Raises:
        StopWorker: The `train` or `calibration` split is empty.
    """
    training = [example for example in examples if example.split == "train"]
    held_out = [example for example in examples if example.split == "calibration"]
    if not training or not held_out:
        raise StopWorker(
            f"{name}: {len(training)} labeled titles to learn from and {len(held_out)} to calibrate on; "
            "with fewer than about thirty in all, serve the taxonomy without training (zero-shot)."
        )
    student = train([*training, *auxiliary], taxonomy, config, loss_reporter(name, progress))
    if taxonomy.version != GOOGLE_VERSION:
        return fit_own(student, training, held_out, taxonomy, config)
    temperature = _fit_temperature(student, held_out, taxonomy)
    calibrated = StudentPredictions(student, held_out, taxonomy, temperature)
    precision = TARGET_PRECISION if config.target_precision is None else config.target_precision
    return CalibratedStudent(student, temperature, choose_thresholds(calibrated, precision, MIN_THRESHOLDS))


def fit_own(
    student: Student,
    training: Sequence[Example],
    held_out: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
) -> CalibratedStudent:
    """Join support vectors to a student of an own taxonomy, and calibrate it.

    The student's weight beside them is the one with the most right categories, over all levels.

    Args:
        student: Student that was trained on `training` and on the categories' names.
        training: Labeled titles.
        held_out: Labeled titles to calibrate on.
        taxonomy: Label space.
        config: Hyperparameters.
    """
    vectors = fit_support_vectors(student, training, taxonomy, config.rank, config.seed)
    tried: list[tuple[float | None, Student]] = [(None, student)]
    if vectors is not None:
        tried += [(weight, join(student, vectors, weight)) for weight in STUDENT_WEIGHTS]
    fitted = []
    for weight, joint in tried:
        temperature = _fit_temperature(joint, held_out, taxonomy)
        predictions = StudentPredictions(joint, held_out, taxonomy, temperature)
        levels = range(1, taxonomy.lineage.shape[1] + 1)
        right = sum(int(predictions.at_level(level)[1].sum()) for level in levels)
        fitted.append((right, weight, joint, temperature, predictions))
    _, weight, joint, temperature, predictions = max(fitted, key=lambda each: each[0])
    return with_thresholds(CalibratedStudent(joint, temperature, [], weight), predictions, config)


def with_thresholds(
    model: CalibratedStudent, predictions: StudentPredictions, config: TrainingConfig
) -> CalibratedStudent:
    """Choose the thresholds of a model for an own taxonomy.

    Args:
        model: Model.
        predictions: Predictions of the stages that are served, for calibration titles.
        config: Its target precision is used.
    """
    target, choices = choose_bounded_thresholds(predictions, config.target_precision)
    return replace(
        model,
        thresholds=[choice.threshold for choice in choices],
        target_precision=target,
        choices=tuple(choices),
    )


def refit(
    model: CalibratedStudent,
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: ProgressCallback,
) -> CalibratedStudent:
    """Train a calibrated model of an own taxonomy once more, on the `calibration` split too.

    Few titles are too many to leave out. Temperature, thresholds and the student's weight stay.
    """
    known = [example for example in examples if example.split != "test"]
    student = train([*known, *auxiliary], taxonomy, config, loss_reporter("Training on all", progress))
    if model.student_weight is not None:
        vectors = fit_support_vectors(student, known, taxonomy, config.rank, config.seed)
        student = student if vectors is None else join(student, vectors, model.student_weight)
    return replace(model, student=student)


def _fit_temperature(student: Student, examples: Sequence[Example], taxonomy: Taxonomy) -> float:
    counts = count_matrix([text_features(example.text) for example in examples], student.hashes)
    labels = np.array([example.category for example in examples], dtype=np.int64)
    return fit_temperature(student.logits(counts), labels, taxonomy)


def fit_private(
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: ProgressCallback,
    private: PrivateTraining,
) -> CalibratedStudent:
    """Train with differential privacy. Temperature and thresholds are constants.

    Args:
        examples: Labeled examples of shops.
        auxiliary: Public examples.
        taxonomy: Label space.
        config: Hyperparameters of the training on public examples.
        progress: Called after each training step.
        private: Guarantee and training algorithm.
    """
    student = train_private(examples, auxiliary, taxonomy, config, private, progress)
    return CalibratedStudent(student, 1.0, list(MIN_THRESHOLDS))
