"""Waiting until every worker serves a model, as an option of several commands."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from streams.replay.served_models import WorkerModels, wait_for_model
from streams.replay.worker_records import WantedModel
from streams.settings import Settings

C = TypeVar("C", bound=Callable[..., Any])

_SHOWN = 5


def timeout_option(command: C) -> C:
    """Add --timeout to `command`, which gets `timeout_s`."""
    option = click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0, min_open=True),
        default=300.0,
        show_default=True,
        help="Seconds to wait for the workers; then exit 1, and name those that do not serve the model.",
    )
    return option(command)


def wait_until_served(settings: Settings, wanted: WantedModel, timeout_s: float) -> None:
    """Wait until every worker of the group serves a model, and print what is waited for.

    Raises:
        NotAllServe: The timeout passed. The message names the workers that do not serve it.
        StopWorker: There is no topic of workers, or the broker rejects a request.
        RetryLater: The broker is unreachable at the start.
    """

    def show(unmet: list[str]) -> None:
        more = f", and {len(unmet) - _SHOWN} more" if len(unmet) > _SHOWN else ""
        click.echo(f"waiting for {wanted}: {'; '.join(unmet[:_SHOWN])}{more}", err=True)

    with WorkerModels(settings) as models:
        wait_for_model(models, wanted, timeout_s, show)
        serving = sum(record is not None and bool(record.model_version) for _, record in models.current())
    click.echo(f"Every worker serves {wanted}: {serving} of them.", err=True)
