"""`shelfstream train` as a library: a training run described by paths and options."""

from dataclasses import dataclass, field
from pathlib import Path

from models.encoder.loading import load_second_stage
from models.serving_config import ServingConfig
from models.student.artifact import Manifest
from models.taxonomy.tree import Taxonomy
from models.training.data.examples import HumanLabels
from models.training.private.training import PrivateTraining
from models.training.progress import ProgressCallback, ignore_progress
from models.training.run.training_run import TrainingSettings, train_model
from models.training.student.config import TrainingConfig

_THREADS = 2


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """A training run in files.

    Attributes:
        data: Folder with `products/` and `mappings/`.
        output: Folder to write the model to.
        taxonomy: File of the category tree that the mappings point into; None for Google's.
        config: Hyperparameters.
        unseen: Whether to train once more per shop without it, to evaluate unseen shops.
        teacher: Whether to distill from the text encoders.
        encoders: Folder of text encoders, which are teacher and second stage; None for the shipped ones.
        human_labels: Files with feedback and corrections.
        private: Differential privacy; None to train without.
    """

    data: Path
    output: Path
    taxonomy: Path | None = None
    config: TrainingConfig = field(default_factory=TrainingConfig)
    unseen: bool = True
    teacher: bool = True
    encoders: Path | None = None
    human_labels: HumanLabels = field(default_factory=HumanLabels)
    private: PrivateTraining | None = None


def run_training(
    request: TrainingRequest, prototypes: Path | None, progress: ProgressCallback = ignore_progress
) -> Manifest:
    """Train a model as requested, and write it.

    Args:
        request: What to train.
        prototypes: Folder that caches the categories' prototypes; None to compute them anew.
        progress: Called after each training step.

    Returns:
        The manifest of the model.

    Raises:
        StopWorker: A file is missing or malformed, or there are too few titles.
    """
    taxonomy = Taxonomy.of(request.taxonomy)
    second = load_second_stage(
        taxonomy,
        ServingConfig(encoders=request.encoders, prototype_cache=prototypes, threads=_THREADS),
    )
    settings = TrainingSettings(
        config=request.config,
        unseen=request.unseen,
        taxonomy=taxonomy,
        teacher=second if request.teacher else None,
        second=second,
        human_labels=request.human_labels,
        private=request.private,
    )
    return train_model(request.data, request.output, settings, progress)
