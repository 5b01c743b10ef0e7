"""The agents that a worker may run, made from settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.behavior_parameters import BehaviorParameters
from models.next_behavior import shipped_next_behavior
from streams.agents.affinity import AffinityProcessor, affinities_table
from streams.agents.burial import Burial
from streams.agents.catalogue import Catalogue
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

    `catalogue` is None unless some agent reads it, `inference` unless this worker enriches. `close` ends what
    runs beside the event loop.
    """

    processors: list[Processor] = field(default_factory=list)
    tables: dict[str, Sequence[TableSpec[Any]]] = field(default_factory=dict)
    catalogue: Catalogue | None = None
    inference: "Inference | None" = None
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

    inference = _inference_of(settings)
    products = products_table()
    agents.processors.append(EnrichProcessor(products, settings.partitions, inference, burial))
    agents.tables["enrich"] = [products]
    agents.inference = inference
    agents.close = inference.close


def _inference_of(settings: Settings) -> "Inference":
    choice = _choice_of(settings)
    if settings.inference == "process":
        from streams.agents.inference_process import InferenceProcess

        return InferenceProcess(choice)
    from streams.agents.inference import InferenceThread
    from streams.agents.judge import Judge, load_enricher

    return InferenceThread(Judge(load_enricher(choice)))


def _choice_of(settings: Settings) -> "ModelChoice":
    from models.encoder_device import Hardware
    from streams.agents.judgement import ModelChoice

    def text(path: Path | None) -> str | None:
        return None if path is None else str(path)

    return ModelChoice(
        path=text(settings.model_path),
        threads=settings.inference_threads,
        threshold=settings.confidence_threshold,
        cascade=settings.cascade,
        taxonomy=text(settings.taxonomy),
        cache=text(settings.data_dir / "prototypes"),
        encoder=text(settings.encoder_path),
        hardware=Hardware(device=settings.device, runtime=settings.encoder_runtime),
    )
