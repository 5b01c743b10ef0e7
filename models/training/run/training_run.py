"""`train_model`: one training run, from the data folder to a model folder."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from models.attributes.brands import write_brands
from models.encoder.by_language import Encoders
from models.student.artifact import Manifest, Measurement
from models.student.escalation import SecondStage
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.training.data.corpus import Example, category_examples
from models.training.data.examples import HumanLabels, read_examples, split_counts
from models.training.private.training import PrivateTraining
from models.training.progress import ProgressCallback, ignore_progress
from models.training.run.fitting import CalibratedStudent, fit, fit_private, refit, with_thresholds
from models.training.run.model_files import (
    brand_names,
    draft_manifest,
    write_description,
    write_private_description,
)
from models.training.run.validation import evaluate_stages, leave_one_out, student_is_better_alone
from models.training.student.config import TrainingConfig
from models.training.student.distillation import distillation_summary, distilled_examples
from models.training.student.drift_snapshot import add_snapshot, listings_of
from models.training.student.evaluation import StudentPredictions
from models.training.student.export import export


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What a training run does.

    Attributes:
        config: Hyperparameters.
        unseen: Whether to train once more per shop without it, to evaluate unseen shops.
        taxonomy: Category tree that the mappings point into; None for Google's.
        teacher: Text encoders to distill from; None for no distillation.
        second: Second stage of the cascade that the model is served with, which is then evaluated too; None
            if it is served alone.
        human_labels: Files with feedback and corrections.
        private: Differential privacy; None to train without. With it only the trained shifts and the metrics
            depend on the shops' rows: unseen shops are not evaluated, no brands are learned, and there is no
            drift snapshot.
    """

    config: TrainingConfig = field(default_factory=TrainingConfig)
    unseen: bool = False
    taxonomy: Taxonomy | None = None
    teacher: Encoders | None = None
    second: SecondStage | None = None
    human_labels: HumanLabels = field(default_factory=HumanLabels)
    private: PrivateTraining | None = None


def train_model(
    data: Path, folder: Path, settings: TrainingSettings, progress: ProgressCallback = ignore_progress
) -> Manifest:
    """Train, calibrate, evaluate and export a model.

    Args:
        data: Folder with `products/` and `mappings/`.
        folder: Folder to write the model to. It is created if it is missing.
        settings: What to do.
        progress: Called after each training step.

    Returns:
        The manifest of the model.

    Raises:
        StopWorker: A data file is missing or malformed, or there are too few titles.
    """
    return _Run(data, settings, progress).write(folder)


class _Run:
    """One training run: reads and trains when it is constructed."""

    def __init__(self, data: Path, settings: TrainingSettings, progress: ProgressCallback) -> None:
        self._data, self._settings, self._progress = data, settings, progress
        self._config = config = settings.config
        self._taxonomy = settings.taxonomy or Taxonomy.google()
        self._examples = read_examples(data, self._taxonomy, settings.human_labels, config.feedback_weight)
        self._distilled: list[Example] = []
        if settings.teacher is not None:
            self._distilled = distilled_examples(settings.teacher, data, self._examples, config)
        self._auxiliary = category_examples(self._taxonomy, config.name_weight) + self._distilled
        self._model = self._fit()
        self._alone = self._is_better_alone()
        self._second = None if self._alone else settings.second
        if self._taxonomy.version != GOOGLE_VERSION and settings.private is None:
            self._model = self._finish_own()

    def write(self, folder: Path) -> Manifest:
        """Evaluate the model and write it with its manifest, card and drift snapshot."""
        private = self._settings.private
        measurements = self._evaluate()
        brands, brand_precision = (
            ({}, 0.0) if private is not None else brand_names(self._data, self._taxonomy)
        )
        folder.mkdir(parents=True, exist_ok=True)
        write_brands(folder / "brands.tsv", brands)
        manifest = msgspec.structs.replace(
            draft_manifest(self._model, self._taxonomy, self._config, self._settings.human_labels),
            tensors=export(self._model.student, folder),
            brand_precision=round(brand_precision, 4),
            training_data=split_counts(self._examples),
            measurements=measurements,
            teacher=distillation_summary(self._distilled),
            alone=self._alone or msgspec.UNSET,
            target_precision=self._model.target_precision or msgspec.UNSET,
            threshold_choices=[*self._model.choices] or msgspec.UNSET,
        )
        if private is not None:
            return write_private_description(folder, manifest, self._config, private)
        write_description(folder, manifest, self._config)
        # Own taxonomies are trained on the calibration split too, which would look surer than new titles.
        split = "test" if self._model.choices else "calibration"
        return add_snapshot(folder, listings_of(self._examples, split), self._taxonomy, self._second)

    def _fit(self) -> CalibratedStudent:
        common = (self._examples, self._auxiliary, self._taxonomy, self._config, self._progress)
        if self._settings.private is None:
            return fit(*common, "Training")
        return fit_private(*common, self._settings.private)

    def _finish_own(self) -> CalibratedStudent:
        """Choose the thresholds of the stages that are served, and train on the calibration titles too."""
        model = self._model
        if self._second is not None:
            held_out = [example for example in self._examples if example.split == "calibration"]
            predictions = StudentPredictions(
                model.student, held_out, self._taxonomy, model.temperature, self._second
            )
            model = with_thresholds(model, predictions, self._config)
        return refit(model, self._examples, self._auxiliary, self._taxonomy, self._config, self._progress)

    def _is_better_alone(self) -> bool:
        second = self._settings.second
        # With differential privacy, the calibration titles must not influence the choice.
        if second is None or self._settings.private is not None:
            return False
        return student_is_better_alone(self._model, self._examples, self._taxonomy, second)

    def _evaluate(self) -> list[Measurement]:
        held_out = [example for example in self._examples if example.split == "test"]
        measurements = evaluate_stages(self._model, held_out, self._taxonomy, self._second)
        if self._settings.unseen and self._settings.private is None:
            measurements += leave_one_out(
                self._examples,
                self._auxiliary,
                self._taxonomy,
                self._config,
                self._progress,
                self._second,
            )
        return measurements
