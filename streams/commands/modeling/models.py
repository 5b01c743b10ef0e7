"""`shelfstream models`: list, add, promote, roll back and try the models of a registry."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from models.registry.deployment import Deployment
from models.registry.registry import Registry
from models.student.artifact import Manifest
from models.taxonomy.tree import Taxonomy
from schemas.audit import AuditAction
from schemas.errors import StopWorker
from streams.commands.audited import audited
from streams.commands.model_wait import timeout_option, wait_until_served
from streams.commands.modeling.promotion_check import check_gate, served_version
from streams.commands.terminal_tables import new_table, print_table
from streams.options import with_settings
from streams.replay.dead_letter_view import printable
from streams.replay.served_models import WorkerModels
from streams.replay.worker_records import WantedModel
from streams.settings import Settings

C = TypeVar("C", bound=Callable[..., Any])

_SOON = (
    "Workers load it within seconds; `shelfstream models workers` shows the model of each worker, and --wait "
    "waits for them."
)


def wait_options(command: C) -> C:
    """Add --wait and --timeout to `command`, which gets `wait` and `timeout_s`."""
    option = click.option("--wait", is_flag=True, help="Return when every worker of the group serves it.")
    return option(timeout_option(command))


_AUDITED = {
    each.value: each
    for each in (AuditAction.PROMOTE, AuditAction.ROLLBACK, AuditAction.SHADOW, AuditAction.CANARY)
}
"""The commands that change which models serve, by their function's name."""


def with_registry(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option --registry to a command, and pass it the arguments `registry` and `settings`."""

    @click.option(
        "--registry",
        "at",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the registry. If unset, the setting model_registry.",
    )
    @with_settings
    @wraps(command)
    def run(settings: Settings, at: Path | None, **kwargs: Any) -> None:
        folder = at or settings.model_registry
        if folder is None:
            raise click.UsageError("name the registry: set SHELFSTREAM_MODEL_REGISTRY, or give --registry")
        registry = Registry(folder, Taxonomy.of(settings.taxonomy))
        action = _AUDITED.get(command.__name__)
        with nullcontext() if action is None else audited(settings, action):
            command(registry=registry, settings=settings, **kwargs)

    return run


@click.group()
def models() -> None:
    """List, add, promote and try models of a registry."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@with_registry
def list_models(registry: Registry, settings: Settings, as_json: bool) -> None:
    """List all models, oldest first.

    Each has its role, its state, and its metrics on unseen shops.
    """
    _check_exists(registry)
    deployment = registry.deployment()
    rows = [_row(registry, deployment, version) for version in registry.versions()]
    if as_json:
        listed = {"deployment": _fields(deployment), "models": rows}
        click.echo(orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode())
        return
    _show(deployment)
    if not rows:
        click.echo("The registry holds no models.")
        return
    table = new_table("model", "role", "state", "published unseen", "right of it")
    for row in rows:
        table.add_row(
            row["version"], row["role"], row["state"], _percent(row["published"]), _percent(row["precision"])
        )
    print_table(table)


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@with_registry
def add(registry: Registry, settings: Settings, folder: Path) -> None:
    """Add a copy of the trained model in FOLDER. It does not serve until it is promoted or tried."""
    version = registry.add(folder)
    click.echo(f"{version} is in the registry {registry.folder}.")


@models.command()
@click.argument("version")
@click.option("--force", is_flag=True, help="Promote without the gate's decision, or against it.")
@wait_options
@with_registry
def promote(
    registry: Registry, settings: Settings, version: str, force: bool, wait: bool, timeout_s: float
) -> None:
    """Make VERSION the serving model.

    Needs the decision of `shelfstream gate --registry` that it may serve in place of the model that serves
    now. Exit 3: there is none, or it says no; the reasons are printed, and nothing changes.
    """
    _check_exists(registry)
    before = served_version(registry, settings)
    registry.artifact(version)
    if not force:
        check_gate(registry.folder, version, before or "")
    deployment = registry.promote(version)
    _show(deployment)
    _follow(settings, deployment, before, wait, timeout_s)


@models.command()
@wait_options
@with_registry
def rollback(registry: Registry, settings: Settings, wait: bool, timeout_s: float) -> None:
    """Serve the previous model again.

    Shadow and canary end. A second rollback undoes the first.
    """
    before = served_version(registry, settings)
    deployment = registry.rollback()
    _show(deployment)
    _follow(settings, deployment, before, wait, timeout_s)


def _follow(
    settings: Settings, deployment: Deployment, before: str | None, wait: bool, timeout_s: float
) -> None:
    """Wait until the workers serve the deployed model, or say how to see it."""
    if wait:
        wait_until_served(settings, WantedModel(deployment.serving, before or ""), timeout_s)
    else:
        click.echo(_SOON)


@models.command("workers")
@with_settings
def list_workers(settings: Settings) -> None:
    """Show which model each worker of the group serves. Needs Kafka, and no registry."""
    with WorkerModels(settings) as reader:
        group = reader.group()
        reader.read()
    table = new_table("worker", "serves", "candidate", "partitions", "trouble")
    for member in group.members:
        record = reader.records.get(member.member_id)
        partitions = ", ".join(map(str, sorted(member.partitions)))
        if record is None:
            table.add_row(member.host, "it has not said", "", partitions, "")
        else:
            model = record.model_version or "no model"
            table.add_row(
                record.worker_id, model, record.candidate_version, partitions, printable(record.trouble or "")
            )
    print_table(table)
    if not group.members:
        click.echo("No worker is in the consumer group.")
    elif not group.stable:
        click.echo("The consumer group rebalances: members and partitions change.")


@models.command()
@click.argument("version", required=False)
@click.option("--off", is_flag=True, help="End it.")
@with_registry
def shadow(registry: Registry, settings: Settings, version: str | None, off: bool) -> None:
    """Let VERSION predict without publishing.

    Metrics and status count the differences to the serving model.
    """
    _one_of(version, off)
    _show(registry.set_shadow(version))
    click.echo(_SOON)


@models.command()
@click.argument("version", required=False)
@click.option(
    "--share",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=0.05,
    show_default=True,
    help="Share of the products, between 0 and 1.",
)
@click.option("--off", is_flag=True, help="End it.")
@with_registry
def canary(registry: Registry, settings: Settings, version: str | None, share: float, off: bool) -> None:
    """Let VERSION publish for a fixed share of the products."""
    _one_of(version, off)
    _show(registry.set_canary(version, share))
    click.echo(_SOON)


def _check_exists(registry: Registry) -> None:
    """Raise StopWorker unless the registry exists: a typing error must not look like an empty one."""
    if not registry.folder.is_dir():
        raise StopWorker(f"There is no registry {registry.folder}: create it with `shelfstream models add`.")


def _one_of(version: str | None, off: bool) -> None:
    if (version is None) != off:
        raise click.UsageError("name a version, or say --off")


def _row(registry: Registry, deployment: Deployment, version: str) -> dict[str, Any]:
    """Version, role, state and metrics of a model."""
    row: dict[str, Any] = {"version": version, "role": _role(deployment, version)}
    try:
        manifest = registry.artifact(version).manifest
    except StopWorker as error:
        return row | {"state": str(error), "published": None, "precision": None}
    return row | {"state": "sound"} | _unseen(manifest)


def _role(deployment: Deployment, version: str) -> str:
    roles = (
        ("serving", version == deployment.serving),
        ("previous", version == deployment.previous),
        ("shadow", version == deployment.shadow),
        (f"canary {deployment.canary_share:.1%}", version == deployment.canary),
    )
    return ", ".join(role for role, holds in roles if holds)


def _unseen(manifest: Manifest) -> dict[str, float | None]:
    """Mean coverage and mean precision on the shops that were left out in training."""
    unseen = [each for each in manifest.measurements if each.name.startswith("unseen ")]
    if not unseen:
        return {"published": None, "precision": None}
    return {
        "published": sum(each.published for each in unseen) / len(unseen),
        "precision": sum(each.precision for each in unseen) / len(unseen),
    }


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _fields(deployment: Deployment) -> dict[str, Any]:
    return {name: getattr(deployment, name) for name in deployment.__struct_fields__}


def _show(deployment: Deployment) -> None:
    """Print which models serve, and which are tried."""
    click.echo(f"Serving: {_name(deployment.serving)}")
    if deployment.serving is not None or deployment.previous is not None:
        click.echo(f"Before:  {_name(deployment.previous)} (`shelfstream models rollback` returns to it)")
    if deployment.shadow is not None:
        click.echo(f"Shadow:  {deployment.shadow}")
    if deployment.canary is not None:
        click.echo(f"Canary:  {deployment.canary} for {deployment.canary_share:.1%} of the products")


def _name(version: str | None) -> str:
    return "the model that workers have without a registry" if version is None else version
