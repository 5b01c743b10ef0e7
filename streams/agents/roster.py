"""The agents that a worker may run, made from settings."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.behavior_parameters import BehaviorParameters
from models.next_behavior import shipped_next_behavior
from schemas.errors import StopWorker
from streams.agents.affinity import AffinityProcessor, affinities_table
from streams.agents.burial import Burial
from streams.agents.catalogue import Catalogue
from streams.agents.model_report import ModelReport
from streams.agents.sessions import SessionsProcessor, shoppers_table
from streams.lanes.records import Processor
from streams.lanes.tables import TableSpec
from streams.settings import Settings
from streams.topics import changelog

if TYPE_CHECKING:
    from streams.agents.inference import Inference
    from streams.agents.judgement import ModelChoice

AGENTS = ("enrich", "sessions", "affinity")
"""The agents there are, in the order of the data's way."""


@dataclass
class Agents:
    """The processors of a worker, the tables of each, and what they share.

    `catalogue` is None unless some agent reads it, `models` (what judges now) unless this worker enriches,
    `follow` (to be awaited while it works) unless its models are a registry's. `close` ends what runs beside
    the event loop.
    """

    processors: list[Processor] = field(default_factory=list)
    tables: dict[str, Sequence[TableSpec[Any]]] = field(default_factory=dict)
    catalogue: Catalogue | None = None
    models: Callable[[], ModelReport] | None = None
    follow: Callable[[], Awaitable[None]] | None = None
    close: Callable[[], None] = lambda: None


def parameters_of(settings: Settings) -> BehaviorParameters:
    """The behaviour models' constants as the settings have them."""
    return BehaviorParameters(
        half_life_days=settings.half_life_days,
        neighbours=settings.affinity_bound,
        top_k=settings.affinity_top_k,
        publish_change=settings.publish_change,
        session_gap_s=settings.session_gap_min * 60,
    )


def make_agents(settings: Settings) -> Agents:
    """Make the processors that `settings.agents` names.

    Raises:
        StopWorker: the model cannot be loaded.
    """
    agents = Agents()
    burial = Burial(settings.app_id, settings.partitions)
    if "enrich" in settings.agents:
        _add_enrich(agents, settings, burial)
    parameters = parameters_of(settings)
    catalogue = Catalogue()
    if "sessions" in settings.agents:
        shoppers = shoppers_table(changelog(settings, "shoppers"))
        agents.processors.append(
            SessionsProcessor(
                shoppers, settings.partitions, parameters, shipped_next_behavior(), catalogue.describe, burial
            )
        )
        agents.tables["sessions"] = [shoppers]
        agents.catalogue = catalogue
    if "affinity" in settings.agents:
        affinities = affinities_table(changelog(settings, "affinities"))
        agents.processors.append(
            AffinityProcessor(affinities, settings.partitions, parameters, catalogue, burial)
        )
        agents.tables["affinity"] = [affinities]
        agents.catalogue = catalogue
    return agents


def _add_enrich(agents: Agents, settings: Settings, burial: Burial) -> None:
    # Imported only here: a worker without this agent needs neither the model nor its runtime in memory.
    from streams.agents.enrich import EnrichProcessor, products_table

    inference = _inference(agents, settings)
    products = products_table()
    agents.processors.append(EnrichProcessor(products, settings.partitions, inference, burial))
    agents.tables["enrich"] = [products]
    agents.close = inference.close


def _inference(agents: Agents, settings: Settings) -> "Inference":
    """What runs the settings' model, or those that a registry's deployment names."""
    from models.registry import Registry
    from streams.agents.deployment_follower import DeploymentFollower
    from streams.agents.serving import ServingInference

    if settings.model_registry is None:
        inference = ServingInference(_loaded(settings, settings.model_path))
        agents.models = inference.report
        return inference
    if not settings.model_registry.is_dir():
        raise StopWorker(
            f"There is no model registry {settings.model_registry}: correct SHELFSTREAM_MODEL_REGISTRY, "
            "or begin one with `shelfstream models add`."
        )
    registry = Registry(settings.model_registry, _choice_of(settings, None).tree())

    def load(version: str | None) -> "Inference":
        return _loaded(settings, settings.model_path if version is None else registry.artifact(version).path)

    follower = DeploymentFollower(registry, load, time.monotonic())
    agents.models, agents.follow = follower.report, follower.run
    return follower.inference


def _loaded(settings: Settings, path: Path | None) -> "Inference":
    """A model's folder, loaded where and how the settings say."""
    choice = _choice_of(settings, path)
    if settings.inference == "process":
        from streams.agents.inference_process import InferenceProcess

        return InferenceProcess(choice)
    from streams.agents.inference import InferenceThread
    from streams.agents.judge import load_judge

    return InferenceThread(load_judge(choice))


def _choice_of(settings: Settings, path: Path | None) -> "ModelChoice":
    from models.encoder_device import Hardware
    from streams.agents.judgement import ModelChoice

    def text(path: Path | None) -> str | None:
        return None if path is None else str(path)

    return ModelChoice(
        path=text(path),
        threads=settings.inference_threads,
        threshold=settings.confidence_threshold,
        cascade=settings.cascade,
        taxonomy=text(settings.taxonomy),
        cache=text(settings.data_dir / "prototypes"),
        encoder=text(settings.encoder_path),
        hardware=Hardware(device=settings.device, runtime=settings.encoder_runtime),
        drift_snapshot=text(settings.drift_snapshot),
        drift_half_life_s=settings.drift_half_life_h * 3600,
    )
