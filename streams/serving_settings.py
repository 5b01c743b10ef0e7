"""The model that the settings name, for the worker and for the commands that classify without one."""

from pathlib import Path
from typing import TYPE_CHECKING

from models.serving_config import Hardware, ServingConfig
from schemas.errors import StopWorker
from streams.settings import Settings

if TYPE_CHECKING:
    from models.registry.registry import Registry


def serving_config(settings: Settings, model: Path | None) -> ServingConfig:
    """Return how a worker with these settings loads a model directory; None is the shipped model."""
    return ServingConfig(
        model=model,
        taxonomy=settings.taxonomy,
        encoders=settings.encoder_path,
        prototype_cache=settings.data_dir / "prototypes",
        threads=settings.inference_threads,
        threshold=settings.confidence_threshold,
        cascade=settings.cascade,
        hardware=Hardware(device=settings.device, runtime=settings.encoder_runtime),
    )


def open_registry(settings: Settings) -> "Registry | None":
    """Return the model registry of the settings; None if they name none.

    Raises:
        StopWorker: The directory does not exist, or the taxonomy is invalid.
    """
    if settings.model_registry is None:
        return None
    if not settings.model_registry.is_dir():
        raise StopWorker(
            f"There is no model registry {settings.model_registry}: correct SHELFSTREAM_MODEL_REGISTRY, "
            "or create one with `shelfstream models add`."
        )
    # A worker without a registry loads its model in another process, and needs none of this.
    from models.registry.registry import Registry
    from models.taxonomy.tree import Taxonomy

    return Registry(settings.model_registry, Taxonomy.of(settings.taxonomy))


def served_model(settings: Settings) -> Path | None:
    """Return the directory of the model that a worker with these settings serves; None is the shipped one.

    With a registry it is the deployed one. Shadow and canary are left out.

    Raises:
        StopWorker: The registry, its deployed model or the taxonomy is missing or damaged.
    """
    registry = open_registry(settings)
    version = None if registry is None else registry.deployment().serving
    if registry is None or version is None:
        return settings.model_path
    return registry.artifact(version).path
