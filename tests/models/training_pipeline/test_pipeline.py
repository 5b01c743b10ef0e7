"""The pipeline from Python: its steps, its results, and its registry, without the command line."""

from itertools import count
from pathlib import Path

import pytest

from models.evaluation.run import EvaluationResult
from models.registry.registry import Registry
from models.student.artifact import Manifest
from models.taxonomy.tree import Taxonomy
from models.training_pipeline.completed_steps import STEPS, CompletedSteps
from models.training_pipeline.config import GateOptions, PipelineConfig, TrainOptions
from models.training_pipeline.observer import PipelineObserver
from models.training_pipeline.run import Pipeline
from tests.support.tiny_shops import TREE, write_shops


class Recorder(PipelineObserver):
    """Records the steps and results."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.skipped: list[str] = []
        self.manifest: Manifest | None = None
        self.result: EvaluationResult | None = None
        self.registered_version = ""

    def step_started(self, number: int, step: str) -> None:
        self.started.append(step)

    def step_skipped(self, number: int, step: str) -> None:
        self.skipped.append(step)

    def trained(self, manifest: Manifest, folder: Path) -> None:
        self.manifest = manifest

    def evaluated(self, result: EvaluationResult, folder: Path) -> None:
        self.result = result

    def registered(self, version: str, registry: Path, *, promoted: bool) -> None:
        assert promoted
        self.registered_version = version


@pytest.fixture
def config(tmp_path: Path) -> PipelineConfig:
    write_shops(tmp_path)
    tree = tmp_path / "tree.txt"
    tree.write_text("".join(f"{node.id} - {node.path}\n" for node in TREE.nodes), encoding="utf-8")
    return PipelineConfig(
        data=tmp_path,
        # Outside of the data folder, whose content decides which steps are completed.
        work=tmp_path.with_name(f"{tmp_path.name}-work"),
        taxonomy=tree,
        train=TrainOptions(epochs=2, teacher=False, unseen=False),
        gate=GateOptions(registry=tmp_path.with_name(f"{tmp_path.name}-registry"), promote=True),
    )


def test_a_pipeline_trains_evaluates_and_registers_a_first_model(config: PipelineConfig) -> None:
    recorder = Recorder()
    seconds = count()
    assert Pipeline(config, None, lambda: float(next(seconds)), recorder).run()
    assert recorder.started == list(STEPS)
    assert recorder.manifest is not None
    assert recorder.result is not None
    assert recorder.result.titles_per_second > 0
    assert recorder.result.report.model_version.startswith(recorder.manifest.model_version)
    assert config.gate.registry is not None
    registry = Registry(config.gate.registry, Taxonomy.of(config.taxonomy))
    assert registry.deployment().serving == recorder.registered_version == recorder.manifest.model_version

    again = Recorder()
    assert Pipeline(config, None, lambda: float(next(seconds)), again).run()
    assert (again.started, again.skipped) == ([], list(STEPS))
    changed = CompletedSteps(PipelineConfig(data=config.data, work=config.work, taxonomy=config.taxonomy))
    assert [step for step in STEPS if changed.has(step)] == ["labels"]
