"""The agents that a worker may run, made from settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
    from models.drift import Drift
    from models.enricher import Enricher

AGENTS = ("enrich", "sessions", "affinity")
"""The agents there are, in the order of the data's way."""


@dataclass
class Agents:
    """The processors of a worker, the tables of each, and what they share.

    `catalogue` is None unless some agent reads it, `enricher` and `drift` unless this worker enriches.
    `close` ends what runs beside the event loop.
    """

    processors: list[Processor] = field(default_factory=list)
    tables: dict[str, Sequence[TableSpec[Any]]] = field(default_factory=dict)
    catalogue: Catalogue | None = None
    enricher: "Enricher | None" = None
    drift: "Drift | None" = None
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
    from models.artifact import Artifact
    from models.drift import Drift, DriftReference
    from models.enricher import Enricher
    from models.taxonomy import Taxonomy
    from streams.agents.enrich import EnrichProcessor, products_table
    from streams.agents.inference import InferenceThread

    enricher = Enricher.load(
        settings.model_path,
        threads=settings.inference_threads,
        threshold=settings.confidence_threshold,
        cascade=settings.cascade,
        taxonomy=settings.taxonomy,
        cache=settings.data_dir / "prototypes",
    )
    # Where names of a tree of one's own decide alone, brands and known words are the shipped model's.
    untrained = settings.taxonomy is not None and settings.model_path is None
    artifact = Artifact.load(settings.model_path, Taxonomy.google() if untrained else enricher.taxonomy)
    reference = DriftReference.of(artifact, enricher.taxonomy, settings.drift_snapshot)
    drift = Drift(reference, settings.drift_half_life_h * 3600)
    inference = InferenceThread(enricher, drift)
    products = products_table()
    agents.processors.append(EnrichProcessor(products, settings.partitions, inference, burial))
    agents.tables["enrich"] = [products]
    agents.enricher = enricher
    agents.drift = drift
    agents.close = inference.close
