"""What the commands share: the options that choose settings, and errors that end as clear messages."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from confluent_kafka import KafkaException

from schemas.errors import ShelfstreamError, StopWorker
from streams.settings import Settings
from streams.settings_sources import Loaded, load_settings

R = TypeVar("R")


class Misconfigured(click.ClickException):
    """The settings are wrong: exit code 2, as for wrong options."""

    exit_code = 2


def with_loaded(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` --config and --bootstrap-servers, and pass it `loaded`: settings and sources."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="TOML file of settings; else the one that SHELFSTREAM_CONFIG names.",
    )
    @click.option("--bootstrap-servers", help="Kafka's addresses; else as in the settings.")
    @wraps(command)
    def run(*args: Any, config: Path | None, bootstrap_servers: str | None, **kwargs: Any) -> R:
        try:
            loaded = load_settings(config, options={"bootstrap_servers": bootstrap_servers})
        except StopWorker as error:
            raise Misconfigured(str(error)) from None
        return translated(command, *args, loaded=loaded, **kwargs)

    return run


def with_settings(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` --config and --bootstrap-servers, and pass it `settings`."""

    @wraps(command)
    def run(*args: Any, loaded: Loaded, **kwargs: Any) -> R:
        settings: Settings = loaded.settings
        return command(*args, settings=settings, **kwargs)

    return with_loaded(run)


def translated(command: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """Call `command`; errors that are meant for people end it with their message and exit code 1."""
    try:
        return command(*args, **kwargs)
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error
    except KafkaException as error:
        raise click.ClickException(f"Kafka: {error.args[0].str()}") from error
