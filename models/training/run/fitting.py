"""Training and calibration of a student on labeled examples."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.student.calibration import fit_temperature
from models.taxonomy.tree import Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example
from models.training.private.training import PrivateTraining, train_private
from models.training.progress import ProgressCallback, loss_reporter
from models.training.student.config import TrainingConfig
from models.training.student.evaluation import StudentPredictions, choose_thresholds
from models.training.student.student import Student, count_matrix
from models.training.student.trainer import train
from schemas.errors import StopWorker

TARGET_PRECISION = 0.98
"""Precision that the thresholds reach on calibration titles."""
MIN_THRESHOLDS = (0.93, 0.95, 0.99)
"""Lower bounds of the thresholds of levels 1, 2 and 3. Calibration titles are from known shops; on unknown
shops the confidences are less reliable. With these bounds at least 95% of what the cascade publishes is
right, on average over shops that it was not trained on."""


@dataclass(frozen=True)
class CalibratedStudent:
    """A student with the temperature and thresholds that were fitted on calibration titles.

    Attributes:
        student: Trained parameters.
        temperature: Divisor of the logits.
        thresholds: Least confidence at which a category of level 1, 2, … is published.
    """

    student: Student
    temperature: float
    thresholds: list[float]


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
    student = train([*training, *auxiliary], taxonomy, config, loss_reporter(name, progress))
    held_out = [example for example in examples if example.split == "calibration"]
    if not training or not held_out:
        raise StopWorker(
            f"{name}: {len(training)} labeled titles to learn from and {len(held_out)} to calibrate on; "
            "with fewer than about thirty in all, serve the taxonomy without training (zero-shot)."
        )
    counts = count_matrix([text_features(example.text) for example in held_out], student.hashes)
    uncalibrated = StudentPredictions(student, held_out, taxonomy, 1.0)
    temperature = fit_temperature(student.logits(counts), uncalibrated.labels, taxonomy)
    calibrated = StudentPredictions(student, held_out, taxonomy, temperature)
    return CalibratedStudent(
        student, temperature, choose_thresholds(calibrated, TARGET_PRECISION, MIN_THRESHOLDS)
    )


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
