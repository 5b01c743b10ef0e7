"""Loads the classifier that serves a trained model: on the processor, or as a whole on a CUDA device."""

import msgspec

from models.encoder.by_language import Encoders
from models.encoder.device import runs_whole
from models.encoder.loading import load_second_stage
from models.serving_config import DEFAULT_CONFIG, Hardware, ServingConfig
from models.student.artifact import Artifact
from models.student.backend import Backend
from models.student.checks import check_student
from models.student.classifier import Classifier, StudentClassifier
from models.student.numpy_backend import NumpyBackend
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.google_mapping import GoogleMapping
from models.taxonomy.tree import Taxonomy
from models.zero_shot.mapped_classifier import MappedClassifier


def load_classifier(
    artifact: Artifact, taxonomy: Taxonomy, config: ServingConfig = DEFAULT_CONFIG
) -> Classifier:
    """Load the classifier of a trained model.

    Args:
        artifact: The verified model directory.
        taxonomy: The artifact's category tree.
        config: All fields but `model` and `taxonomy` are used.

    Raises:
        StopWorker: A part is missing or damaged, or the parts do not fit each other or the hardware.
    """
    return _load(artifact, taxonomy, config)[0]


def load_mapped_classifier(
    artifact: Artifact, mapping: GoogleMapping, config: ServingConfig = DEFAULT_CONFIG
) -> Classifier:
    """Load the classifier of a model for Google's tree that serves a tree mapped to it.

    Args:
        artifact: The verified directory of the model for Google's tree.
        mapping: The mapping from Google's tree.
        config: All fields but `model` and `taxonomy` are used.

    Raises:
        StopWorker: As in `load_classifier`.
    """
    classifier, encoders = _load(artifact, mapping.google, config)
    return MappedClassifier(classifier, mapping, encoders)


def _load(
    artifact: Artifact, taxonomy: Taxonomy, config: ServingConfig
) -> tuple[Classifier, Encoders | None]:
    """The classifier, and its second stage on the processor."""
    backend: Backend
    if config.backend == "onnx":
        backend = OnnxBackend(artifact, config.threads)
    else:
        backend = NumpyBackend.load(artifact)
    check_student(artifact, backend)
    cascade = config.cascade and artifact.manifest.alone is not True
    if not runs_whole(config.encoders, config.hardware):
        second = load_second_stage(taxonomy, config) if cascade else None
        return StudentClassifier(artifact, backend, taxonomy, config.threshold, second), second
    # The processor's encoders only verify their folder, tokenize, and encode the prototypes of other trees.
    on_processor = msgspec.structs.replace(config, hardware=Hardware())
    second = load_second_stage(taxonomy, on_processor) if cascade else None
    from models.device.cascade.classifier import DeviceClassifier

    return DeviceClassifier(artifact, taxonomy, second, config.threshold, config.encoders), second
