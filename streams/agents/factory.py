"""The agents that a worker may run, made from settings."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from schemas.errors import StopWorker
from streams.agents.affinity import AffinityProcessor, affinities_table
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.product_view import ProductView
from streams.agents.sessions import SessionsProcessor, shoppers_table
from streams.inference.model_report import ModelReport
from streams.lanes.processor import Processor
from streams.settings import Settings
from streams.state.tables import TableSpec
from streams.topics import changelog

if TYPE_CHECKING:
    from streams.inference.messages import ModelChoice
    from streams.inference.thread import Inference

AGENTS = ("enrich", "sessions", "affinity")
"""The agents there are, in the order of the data's way."""


@dataclass
class Agents:
    """The processors of a worker, the tables of each, and what they share.

    `product_view` is None unless some agent reads it, `models` (what judges now) unless this worker enriches,
    `follow` (to be awaited while it works) unless its models are a registry's. `close` ends what runs beside
    the event loop.
    """

    processors: list[Processor] = field(default_factory=list)
    tables: dict[str, Sequence[TableSpec[Any]]] = field(default_factory=dict)
    product_view: ProductView | None = None
    models: Callable[[], ModelReport] | None = None
    follow: Callable[[], Awaitable[None]] | None = None
    close: Callable[[], None] = lambda: None


def parameters_of(settings: Settings) -> BehaviorParameters:
    """The behaviour models' constants as the settings have them."""
    return BehaviorParameters(
        half_life_days=settings.half_life_days,
        neighbors=settings.affinity_bound,
        top_k=settings.affinity_top_k,
        publish_change=settings.publish_change,
        session_gap_s=settings.session_gap_min * 60,
    )


def create_agents(settings: Settings) -> Agents:
    """Make the processors that `settings.agents` names.

    Raises:
        StopWorker: the model cannot be loaded.
    """
    agents = Agents()
    dead_letter_builder = DeadLetterBuilder(settings.app_id, settings.partitions)
    if "enrich" in settings.agents:
        _add_enrich(agents, settings, dead_letter_builder)
    parameters = parameters_of(settings)
    product_view = ProductView()
    if "sessions" in settings.agents:
        shoppers = shoppers_table(changelog(settings, "shoppers"))
        agents.processors.append(
            SessionsProcessor(
                shoppers,
                settings.partitions,
                parameters,
                shipped_next_behavior(),
                product_view.describe,
                dead_letter_builder,
            )
        )
        agents.tables["sessions"] = [shoppers]
        agents.product_view = product_view
    if "affinity" in settings.agents:
        affinities = affinities_table(changelog(settings, "affinities"))
        agents.processors.append(
            AffinityProcessor(affinities, settings.partitions, parameters, product_view, dead_letter_builder)
        )
        agents.tables["affinity"] = [affinities]
        agents.product_view = product_view
    return agents


def _add_enrich(agents: Agents, settings: Settings, dead_letter_builder: DeadLetterBuilder) -> None:
    # Imported only here: a worker without this agent needs neither the model nor its runtime in memory.
    from streams.agents.enrich import EnrichProcessor
    from streams.agents.products import products_table

    inference = _inference(agents, settings)
    products = products_table()
    agents.processors.append(EnrichProcessor(products, settings.partitions, inference, dead_letter_builder))
    agents.tables["enrich"] = [products]
    agents.close = inference.close


def _inference(agents: Agents, settings: Settings) -> "Inference":
    """What runs the settings' model, or those that a registry's deployment names."""
    from models.registry.registry import Registry
    from streams.inference.model_reloader import ModelReloader
    from streams.inference.serving import ServingInference

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

    follower = ModelReloader(registry, load, time.monotonic())
    agents.models, agents.follow = follower.report, follower.run
    return follower.inference


def _loaded(settings: Settings, path: Path | None) -> "Inference":
    """A model's folder, loaded where and how the settings say."""
    choice = _choice_of(settings, path)
    if settings.inference == "process":
        from streams.inference.process import InferenceProcess

        return InferenceProcess(choice)
    from streams.inference.predictor import load_predictor
    from streams.inference.thread import InferenceThread

    return InferenceThread(load_predictor(choice))


def _choice_of(settings: Settings, path: Path | None) -> "ModelChoice":
    from models.serving_config import Hardware
    from streams.inference.messages import ModelChoice

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
