"""The choice of the classifier that serves a trained model."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models.encoder.artifact import SHIPPED_ENCODERS
from models.enrichment import serving_classifier
from models.enrichment.serving_classifier import load_classifier
from models.serving_config import Hardware, ServingConfig
from models.student.artifact import Artifact
from models.student.classifier import StudentClassifier
from models.taxonomy.tree import Taxonomy

TREE = Taxonomy.google()
ARTIFACT = Artifact.load(None, TREE)


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The arguments of each device classifier; as on a machine with a GPU, except that none is created."""
    arguments: list[tuple[Any, ...]] = []

    class Fake:
        def __init__(self, *given: Any) -> None:
            arguments.append(given)

    module = ModuleType("models.device.cascade.classifier")
    module.DeviceClassifier = Fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(serving_classifier, "runs_whole", lambda folder, hardware: hardware.device == "cuda")
    return arguments


def test_on_the_processor_it_is_the_student(created: list[tuple[Any, ...]]) -> None:
    config = ServingConfig(backend="numpy", cascade=False)
    assert isinstance(load_classifier(ARTIFACT, TREE, config), StudentClassifier)
    assert created == []


@pytest.mark.parametrize("folder", [None, SHIPPED_ENCODERS])
def test_on_a_device_the_whole_configuration_is_passed_on(
    created: list[tuple[Any, ...]], folder: Path | None
) -> None:
    hardware = Hardware(device="cuda", runtime="torch")
    load_classifier(ARTIFACT, TREE, ServingConfig(threshold=0.5, encoders=folder, hardware=hardware))
    ((artifact, taxonomy, second, threshold, encoders),) = created
    assert (artifact, taxonomy, threshold, encoders) == (ARTIFACT, TREE, 0.5, folder)
    assert sorted(second.stages) == ["en", "zh"]


def test_on_a_device_the_student_can_be_alone(created: list[tuple[Any, ...]]) -> None:
    load_classifier(ARTIFACT, TREE, ServingConfig(cascade=False, hardware=Hardware(device="cuda")))
    assert created[0][2] is None
