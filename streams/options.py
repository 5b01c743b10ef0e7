"""Shared by the commands: options for settings and positions, and errors as messages for the operator."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from confluent_kafka import KafkaException

from schemas.errors import ShelfstreamError, StopWorker
from streams.replay.positions import (
    FORMS,
    PartitionPosition,
    Position,
    parse_partition_position,
    parse_position,
)
from streams.settings import Settings
from streams.settings_sources import LoadedSettings, load_settings

R = TypeVar("R")


class ParsedType(click.ParamType):
    """Click type of a text that a function parses, which raises ValueError for other texts.

    Args:
        name: The name of the type in help texts.
        parse: The function. The message of its ValueError is what the user reads.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse a text. Other values, which are defaults, stay.

        Raises:
            click.BadParameter: The function does not parse the text.
        """
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _position(text: str) -> Position:
    position = parse_position(text, datetime.now(UTC))
    if position is None:
        raise ValueError(f"{text!r} is not one of: {FORMS}")
    return position


def _partition_position(text: str) -> PartitionPosition:
    position = parse_partition_position(text, datetime.now(UTC))
    if position is None:
        raise ValueError(f"{text!r} is not one of: {FORMS}; for one partition, such as 3, 3:1200")
    return position


POSITION = ParsedType("position", _position)
"""A position in a topic."""

PARTITION_POSITION = ParsedType("[partition:]position", _partition_position)
"""A position in every partition of a topic, or in one: `PARTITION:POSITION`."""


class InvalidSettings(click.ClickException):
    """The settings are invalid. Exits with code 2, as click does for invalid options."""

    exit_code = 2


def settings_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add --config and --bootstrap-servers to `command`, for `settings_of`."""
    config = click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="TOML file with settings. Default: the file that SHELFSTREAM_CONFIG names.",
    )
    servers = click.option(
        "--bootstrap-servers", help="Addresses of the Kafka brokers. Default: the setting."
    )
    return config(servers(command))


def settings_of(config: Path | None, bootstrap_servers: str | None) -> LoadedSettings:
    """Load the settings with the options that `settings_options` adds.

    Raises:
        InvalidSettings: The settings are invalid.
    """
    try:
        return load_settings(config, options={"bootstrap_servers": bootstrap_servers})
    except StopWorker as error:
        raise InvalidSettings(str(error)) from None


def with_loaded_settings(command: Callable[..., R]) -> Callable[..., R]:
    """Add --config and --bootstrap-servers to `command`, and pass it `loaded`: the `LoadedSettings`."""

    @settings_options
    @wraps(command)
    def run(*args: Any, config: Path | None, bootstrap_servers: str | None, **kwargs: Any) -> R:
        loaded = settings_of(config, bootstrap_servers)
        return with_error_messages(command, *args, loaded=loaded, **kwargs)

    return run


def with_settings(command: Callable[..., R]) -> Callable[..., R]:
    """Add --config and --bootstrap-servers to `command`, and pass it `settings`: the validated `Settings`."""

    @wraps(command)
    def run(*args: Any, loaded: LoadedSettings, **kwargs: Any) -> R:
        settings: Settings = loaded.settings
        return command(*args, settings=settings, **kwargs)

    return with_loaded_settings(run)


def with_error_messages(command: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """Call `command`, and turn its expected errors into messages.

    Raises:
        click.ClickException: `command` raised a `ShelfstreamError` or a `KafkaException`. Exits with code 1.
    """
    try:
        return command(*args, **kwargs)
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error
    except KafkaException as error:
        raise click.ClickException(f"Kafka: {error.args[0].str()}") from error
