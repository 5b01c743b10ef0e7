"""What the commands share: the options that choose settings, and errors that end as clear messages."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from confluent_kafka import KafkaException

from schemas.errors import ShelfstreamError, StopWorker
from streams.replay.positions import FORMS, Position, parse_position
from streams.settings import Settings
from streams.settings_sources import Loaded, load_settings

R = TypeVar("R")


class PositionType(click.ParamType):
    """An option's value that is a position in a topic."""

    name = "position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Position:
        """Read the position, or fail with the forms that it can have."""
        if isinstance(value, Position):
            return value
        position = parse_position(str(value), datetime.now(UTC))
        if position is None:
            self.fail(f"{value!r} is none of: {FORMS}", param, ctx)
        return position


POSITION = PositionType()


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
