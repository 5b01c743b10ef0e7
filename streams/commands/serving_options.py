"""Options of the commands that classify without a worker: its settings, which options override."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from models.serving_config import ServingConfig
from schemas.errors import StopWorker
from streams.commands.file_options import taxonomy_option
from streams.options import InvalidSettings
from streams.serving_settings import served_model, serving_config
from streams.settings import display_value
from streams.settings_sources import LoadedSettings, load_settings

R = TypeVar("R")

_NAMES = {
    "model": "model_path",
    "taxonomy": "taxonomy",
    "cascade": "cascade",
    "confidence_threshold": "confidence_threshold",
}
"""Settings by the parameter of the option that overrides them."""
_SHOWN = (
    "model_registry",
    "model_path",
    "taxonomy",
    "cascade",
    "confidence_threshold",
    "encoder_path",
    "encoder_runtime",
    "device",
    "inference_threads",
    "shop_mix",
)
"""The settings that a classification depends on."""


class ChosenServing(msgspec.Struct, frozen=True, kw_only=True):
    """How a command classifies.

    Attributes:
        config: How to load the model.
        changed: Each setting that is not a default, with its value and source, such as `cascade False
            (SHELFSTREAM_CASCADE)`.
        shop_mix: Whether the mixes of shops weigh what the model says.
    """

    config: ServingConfig
    changed: tuple[str, ...]
    shop_mix: bool = True

    def describe(self, model_version: str, taxonomy_version: str, thresholds: Sequence[float]) -> str:
        """A line on the model, its taxonomy and thresholds, and the settings that are not defaults."""
        shown = ", ".join(f"{value:.2f}" for value in thresholds)
        settings = "; ".join(self.changed) or "all at their defaults"
        return f"model {model_version}, taxonomy {taxonomy_version}, thresholds {shown}; settings: {settings}"


def serving_options(command: Callable[..., R]) -> Callable[..., R | None]:
    """Add the options that override the worker's settings to `command`, and pass it `serving`.

    A group is not called, and no settings are read, if one of its subcommands is invoked.
    `serving` is a `ChosenServing`. Without options it is what a worker with this environment serves.
    """

    @click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="TOML file with settings. Default: the file that SHELFSTREAM_CONFIG names.",
    )
    @click.option(
        "--model",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Directory of a trained model. Default: that of the worker's settings.",
    )
    @taxonomy_option
    @click.option(
        "--cascade/--no-cascade",
        default=None,
        help="Whether the text encoders take part. Default: the setting.",
    )
    @click.option(
        "--confidence-threshold",
        type=click.FloatRange(0.0, 1.0),
        help="Least confidence of a category that needs no review. Default: the setting.",
    )
    @wraps(command)
    def run(*args: Any, config: Path | None, **given: Any) -> R | None:
        if click.get_current_context().invoked_subcommand is not None:
            return None
        values = {setting: given.pop(parameter) for parameter, setting in _NAMES.items()}
        options = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
        try:
            serving = _chosen(load_settings(config, options=options))
        except StopWorker as error:
            raise InvalidSettings(str(error)) from error
        return command(*args, serving=serving, **given)

    return run


def _chosen(loaded: LoadedSettings) -> ChosenServing:
    """The model of the settings. A directory that an option names is used instead of a registry's.

    Raises:
        StopWorker: The registry, its deployed model or the taxonomy is missing or damaged.
    """
    settings, sources = loaded
    named = sources["model_path"] == "option"
    model = settings.model_path if named else served_model(settings)
    changed = tuple(
        f"{name} {display_value(settings, name)} ({sources[name]})"
        for name in _SHOWN
        if sources[name] != "default" and not (named and name == "model_registry")
    )
    config = serving_config(settings, model)
    return ChosenServing(config=config, changed=changed, shop_mix=settings.shop_mix)
