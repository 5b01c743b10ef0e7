"""The composition of the agents from settings."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.shopper import shopper_updated
from models.behavior.shopper_row import ShopperRow
from schemas.events import ShopperUpdated
from schemas.product_identity import ProductIdentity
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.affinity_view import AffinityView
from streams.agents.erasures import ShopperTableRow, shoppers_table
from streams.agents.outputs import OutputBuilder
from streams.agents.product_signals import ProductSignals, signals_table
from streams.agents.product_view import ProductView
from streams.agents.queries import Queries
from streams.agents.recommendations import Recommendations
from streams.agents.sessions import sessions_agent
from streams.agents.shop_mixes import shop_mixes_table
from streams.agents.shop_taste import ShopTaste
from streams.agents.shopper_names import ShopperNames
from streams.agents.shopper_retention import Retention
from streams.agents.totals import AgentTotals
from streams.agents.unlabeled_shoppers import UnlabeledShoppers, with_unlabeled
from streams.agents.view_follower import View
from streams.inference.model_report import ModelReport
from streams.lanes.agent import BatchAgent
from streams.pseudonym_keys import load_pseudonyms
from streams.publication_noise import publication_noise, with_bounded_sessions
from streams.serving_settings import open_registry, serving_config
from streams.settings import Settings
from streams.state.tables import TableSpec
from streams.topics import AFFINITY_UPDATED, PRODUCT_ENRICHED, changelog

if TYPE_CHECKING:
    from streams.inference.protocol import Inference

log = structlog.get_logger()

AGENTS = ("enrich", "sessions", "affinity")
"""The names of the agents, in the order of the data flow."""


@dataclass(frozen=True, slots=True)
class ModelServing:
    """What serves the models of the agent `enrich`.

    Attributes:
        inference: Runs the model off the event loop.
        report: Returns which models serve, and their counts.
        follow: Follows the deployment of a model registry until it is cancelled; None without a registry.
    """

    inference: "Inference"
    report: Callable[[], ModelReport]
    follow: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class WorkerAgents:
    """The agents of a worker, and what they share.

    Attributes:
        agents: The agents in the order of the data flow.
        views: The views that the agents read, by topic.
        serving: The models; None unless the worker runs `enrich`.
        totals: What the agents count.
        queries: Answer about one product or shopper; None without the read API.
    """

    agents: tuple[BatchAgent, ...]
    views: Mapping[str, View]
    serving: ModelServing | None
    totals: AgentTotals = field(default_factory=AgentTotals)
    queries: Queries | None = None

    def close(self) -> None:
        """End what runs beside the event loop."""
        if self.serving is not None:
            self.serving.inference.close()


def behavior_parameters(settings: Settings) -> BehaviorParameters:
    """Return the constants of the behavior models from settings."""
    parameters = BehaviorParameters(
        half_life_days=settings.half_life_days,
        neighbors=settings.affinity_bound,
        top_k=settings.affinity_top_k,
        similar_min_cosine=settings.similar_min_cosine,
        publish_change=settings.publish_change,
        min_support=settings.publish_min_support,
        session_gap_s=settings.session_gap_min * 60,
        allowed_lateness_days=settings.allowed_lateness_days,
    )
    return with_bounded_sessions(parameters, settings)


def create_agents(settings: Settings, moves: bool = True) -> WorkerAgents:
    """Create the agents that `settings.agents` names.

    Args:
        settings: The validated settings.
        moves: Whether there is the topic shopper-repartition, which workers can do without.

    Raises:
        StopWorker: The model cannot be loaded.
        RetryLater: The model's process died while it loaded the model.
    """
    agents: list[BatchAgent] = []
    totals, identity = AgentTotals(), ProductIdentity(settings.shops)
    serving = None
    if "enrich" in settings.agents:
        # Imported here, so that a worker without this agent loads neither the model nor its runtime.
        from streams.agents.enrich import enrich_agent

        serving = _model_serving(settings)
        inference, signals = serving.inference, settings.signals
        mixes = shop_mixes_table(changelog(settings, "shop-mixes")) if settings.shop_mix else None
        agents.append(
            enrich_agent(inference, settings.partitions, totals, identity, signals=signals, mixes=mixes)
        )
    views: dict[str, View] = {}
    queries = None
    if {"sessions", "affinity"} & set(settings.agents):
        views[PRODUCT_ENRICHED] = product_view = ProductView(identity, settings.has_read_api)
        affinity_view = AffinityView(
            settings.affinity_view_products, identity, settings.half_life_days, product_view.shop_of
        )
        if settings.affinity_view_products:
            views[AFFINITY_UPDATED] = affinity_view
        taste = ShopTaste(product_view, affinity_view, behavior_parameters(settings).half_life_s)
        behavior_agents = create_behavior_agents(settings, product_view, affinity_view, totals, moves, taste)
        agents += [behavior_agents[name] for name in ("sessions", "affinity") if name in settings.agents]
        if settings.has_read_api:
            queries = create_queries(settings, product_view, affinity_view, taste)
    return WorkerAgents(tuple(agents), views, serving, totals, queries)


def create_queries(
    settings: Settings, product_view: ProductView, affinity_view: AffinityView, taste: ShopTaste
) -> Queries:
    """Create what answers about one product or shopper, as the agents publish them."""
    parameters, identity = behavior_parameters(settings), ProductIdentity(settings.shops)
    return Queries(
        affinities_table(changelog(settings, "affinities")),
        shoppers_table(changelog(settings, "shoppers")),
        _shopper_events(parameters, product_view, affinity_view, taste),
        product_view,
        Recommendations(product_view, affinity_view, parameters),
        parameters,
        identity,
        publication_noise(settings, parameters),
    )


def create_behavior_agents(
    settings: Settings,
    product_view: ProductView,
    affinity_view: AffinityView,
    totals: AgentTotals,
    moves: bool,
    taste: ShopTaste | None = None,
) -> dict[str, BatchAgent]:
    """Create the agents `sessions` and `affinity`, which read views, by name."""
    parameters, identity = behavior_parameters(settings), ProductIdentity(settings.shops)
    shoppers = shoppers_table(changelog(settings, "shoppers"))
    taste = taste or ShopTaste(product_view, affinity_view, parameters.half_life_s)
    event_of = _shopper_events(parameters, product_view, affinity_view, taste)
    pseudonyms = load_pseudonyms(settings)
    if pseudonyms is not None and "sessions" in settings.agents:
        log.info("shoppers have pseudonyms", keys=pseudonyms.key_ids())
    sessions = sessions_agent(
        shoppers,
        settings.partitions,
        parameters,
        shipped_next_behavior(),
        product_view.describe,
        Retention.of(settings),
        identity,
        totals,
        moves,
        ShopperNames(pseudonyms, settings.partitions, parameters.session_gap_s),
        affinity_view.of,
        taste.mean,
    )
    affinities = affinities_table(changelog(settings, "affinities"), parameters)
    signals = None
    if settings.signals:
        counts = signals_table(changelog(settings, "signals"))
        signals = ProductSignals(counts, product_view, settings.partitions)
    return {
        "sessions": _with_unlabeled(sessions, shoppers, settings.partitions, product_view, event_of),
        "affinity": affinity_agent(
            affinities,
            settings.partitions,
            parameters,
            product_view,
            identity,
            signals,
            affinity_view,
            publication_noise(settings, parameters),
            # Without the work that is put off, what waits would stay unpublished.
            settings.publish_interval_s if settings.catch_up_s else 0.0,
        ),
    }


def _shopper_events(
    parameters: BehaviorParameters,
    product_view: ProductView,
    affinity_view: AffinityView,
    taste: ShopTaste,
) -> Callable[[str, ShopperRow], ShopperUpdated | None]:
    """Return what builds the event of a shopper's row with the views as they are then."""
    next_behavior = shipped_next_behavior()
    describe, related_to = product_view.describe, affinity_view.of
    return lambda shopper, row: shopper_updated(
        shopper, row, next_behavior, describe, parameters, related_to, taste.mean(row.product_weights)
    )


def _with_unlabeled(
    sessions: BatchAgent,
    shoppers: TableSpec[ShopperTableRow],
    partitions: int,
    product_view: ProductView,
    event_of: Callable[[str, ShopperRow], ShopperUpdated | None],
) -> BatchAgent:
    """Let the agent `sessions` publish shoppers again whose products were unknown when they acted."""
    unlabeled = UnlabeledShoppers(
        product_view.describe,
        lambda: product_view.arrivals,
        event_of,
        OutputBuilder("sessions", partitions),
    )
    return with_unlabeled(sessions, shoppers, unlabeled)


def _model_serving(settings: Settings) -> ModelServing:
    """Serve the model that the settings name, or the models of a registry's deployment."""
    from streams.inference.model_reloader import ModelReloader
    from streams.inference.serving import ServingInference

    registry = open_registry(settings)
    if registry is None:
        inference = ServingInference(_load_inference(settings, settings.model_path))
        return ModelServing(inference, inference.report)

    def load(version: str | None) -> "Inference":
        path = settings.model_path if version is None else registry.artifact(version).path
        return _load_inference(settings, path)

    reloader = ModelReloader(registry, load, time.monotonic())
    return ModelServing(reloader.inference, reloader.report, reloader.run)


def _load_inference(settings: Settings, model: Path | None) -> "Inference":
    """Load a model directory in a thread or in a process, as the settings say."""
    from streams.inference.messages import PredictorConfig

    config = PredictorConfig(
        serving=serving_config(settings, model),
        drift_snapshot=settings.drift_snapshot,
        drift_half_life_s=settings.drift_half_life_h * 3600,
    )
    if settings.inference == "process":
        from streams.inference.process import InferenceProcess

        return InferenceProcess(config, timeout_s=settings.inference_timeout_s)
    from streams.inference.predictor import load_predictor
    from streams.inference.thread import InferenceThread

    return InferenceThread(load_predictor(config))
