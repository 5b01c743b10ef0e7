"""The models of a worker's agents follow from its settings."""

from pathlib import Path

import pytest

from models.registry.registry import Registry
from models.student.artifact import SHIPPED
from schemas.errors import StopWorker
from streams.agents.factory import behavior_parameters, create_agents
from streams.settings import Settings
from streams.topics import AFFINITY_UPDATED, PRODUCT_ENRICHED
from tests.support.model_folders import recalibrated


def serving(settings: Settings) -> str:
    """Return the model version with which a worker starts."""
    agents = create_agents(settings)
    agents.close()
    assert agents.serving is not None
    assert (agents.serving.follow is None) == (settings.model_registry is None)
    return agents.serving.report().model_version


def test_a_registry_s_deployment_goes_before_the_model_s_path(tmp_path: Path) -> None:
    other = recalibrated(tmp_path / "other")
    registry = Registry(tmp_path / "registry")
    version = registry.add(SHIPPED)
    settings = Settings(
        agents=("enrich",), cascade=False, model_path=other, model_registry=tmp_path / "registry"
    )
    own = serving(settings)
    assert own != version
    assert own == serving(Settings(agents=("enrich",), cascade=False, model_path=other))
    registry.promote(version)
    assert serving(settings) == version


def test_a_registry_that_is_not_there_stops_the_worker(tmp_path: Path) -> None:
    settings = Settings(agents=("enrich",), model_registry=tmp_path / "registyr")
    with pytest.raises(StopWorker, match="SHELFSTREAM_MODEL_REGISTRY"):
        create_agents(settings)


def test_a_worker_that_does_not_enrich_has_no_models(tmp_path: Path) -> None:
    agents = create_agents(Settings(agents=("sessions",), model_registry=tmp_path / "none"))
    assert agents.serving is None


def test_agents_of_behavior_read_views_and_the_affinity_view_can_be_switched_off() -> None:
    assert set(create_agents(Settings(agents=("sessions",))).views) == {PRODUCT_ENRICHED, AFFINITY_UPDATED}
    without = Settings(agents=("affinity",), affinity_view_products=0)
    assert set(create_agents(without).views) == {PRODUCT_ENRICHED}


def test_bounds_of_behavior_follow_from_settings() -> None:
    parameters = behavior_parameters(Settings(allowed_lateness_days=2.0, session_gap_min=5.0))
    assert (parameters.allowed_lateness_s, parameters.session_gap_s) == (2 * 86_400.0, 300.0)
