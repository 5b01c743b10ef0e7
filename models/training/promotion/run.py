"""`shelfstream gate` as a library: compare a candidate with the serving model, and promote it."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from models.encoder.loading import load_second_stage
from models.registry.gate_results import write_gate_result
from models.registry.registry import Registry
from models.serving_config import ServingConfig
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from models.training.data.examples import HumanLabels, read_examples
from models.training.progress import ProgressCallback, ignore_progress
from models.training.promotion.comparison import compare, shops_split_differently
from models.training.promotion.gate import GateConfig, GateDecision

_THREADS = 2


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What the gate compares.

    Attributes:
        candidate: Folder of the candidate.
        data: Folder with `products/` and `mappings/`.
        serving: Folder of the serving model. None for the one that serves in the registry, or else the
            shipped model.
        registry: Folder of the registry, or None.
        taxonomy: File of the models' category tree; None for Google's.
        human_labels: Files with feedback and corrections, as given to the training.
        cascade: Whether both models are compared as cascades with the text encoders.
        config: Settings of the gate.
    """

    candidate: Path
    data: Path
    serving: Path | None = None
    registry: Path | None = None
    taxonomy: Path | None = None
    human_labels: HumanLabels = field(default_factory=HumanLabels)
    cascade: bool = True
    config: GateConfig = field(default_factory=GateConfig)


@dataclass(frozen=True, kw_only=True)
class GateOutcome:
    """The gate's decision and what it is about.

    Attributes:
        decision: Decision with all comparisons.
        candidate_version: Version of the candidate.
        serving_version: Version of the serving model.
        split_differently: Shops by model version, where the model was trained with another split of the
            shop's titles, so that it may have seen held-out titles.
    """

    decision: GateDecision
    candidate_version: str
    serving_version: str
    split_differently: dict[str, list[str]] = field(default_factory=dict)


def run_gate(
    request: GateRequest, prototypes: Path | None, progress: ProgressCallback = ignore_progress
) -> GateOutcome:
    """Compare a candidate with the serving model on held-out titles.

    The decision is kept in the registry, if the request names one.

    Args:
        request: What to compare.
        prototypes: Folder that caches the categories' prototypes; None to compute them anew.
        progress: Called as the models are evaluated.

    Raises:
        StopWorker: A model or data file is missing or invalid, there is no held-out title, or the decision
            cannot be kept.
    """
    taxonomy = Taxonomy.of(request.taxonomy)
    candidate = Artifact.load(request.candidate, taxonomy)
    serving = _serving(request.serving, request.registry, taxonomy)
    second = None
    if request.cascade:
        serving_config = ServingConfig(prototype_cache=prototypes, threads=_THREADS)
        second = load_second_stage(taxonomy, serving_config)
    examples = read_examples(request.data, taxonomy, request.human_labels, feedback_weight=1.0)
    split_differently = {
        artifact.manifest.model_version: shops
        for artifact in (candidate, serving)
        if (shops := shops_split_differently(artifact, examples))
    }
    decision = compare(candidate, serving, examples, taxonomy, request.config, progress, second)
    versions = candidate.manifest.model_version, serving.manifest.model_version
    if request.registry is not None:
        write_gate_result(request.registry, *versions, promote=decision.promote, reasons=decision.reasons)
    return GateOutcome(
        decision=decision,
        candidate_version=versions[0],
        serving_version=versions[1],
        split_differently=split_differently,
    )


def write_decision(decision: GateDecision, path: Path) -> None:
    """Write a decision as JSON.

    Raises:
        OSError: The file cannot be written.
    """
    path.write_bytes(msgspec.json.format(msgspec.json.encode(decision), indent=1) + b"\n")


def register(model: Path, registry: Path, taxonomy: Path | None, *, promote: bool) -> str:
    """Add a model to a registry.

    Args:
        model: Folder of the model.
        registry: Folder of the registry. It is created if it is missing.
        taxonomy: File of the category tree; None for Google's.
        promote: Whether the model serves from now on.

    Returns:
        Version of the model.

    Raises:
        StopWorker: The model is invalid, or the registry cannot be written.
    """
    models = Registry(registry, Taxonomy.of(taxonomy))
    version = models.add(model)
    if promote:
        models.promote(version)
    return version


def _serving(folder: Path | None, registry: Path | None, taxonomy: Taxonomy) -> Artifact:
    if folder is None and registry is not None:
        models = Registry(registry, taxonomy)
        version = models.deployment().serving
        if version is not None:
            return models.artifact(version)
    return Artifact.load(folder, taxonomy)
