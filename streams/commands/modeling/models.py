"""`shelfstream models`: what the registry holds, what serves, and the way back."""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from models.registry.deployment import Deployment
from models.registry.registry import Registry
from models.student.artifact import Manifest
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker
from streams.commands.tables import new_table, print_table
from streams.options import with_settings
from streams.settings import Settings

_SOON = "Workers take it over within seconds; `shelfstream status` shows what each runs."


def with_registry(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` --registry, and pass it `registry`."""

    @click.option(
        "--registry",
        "at",
        type=click.Path(file_okay=False, path_type=Path),
        help="The registry's folder; else the setting model_registry.",
    )
    @with_settings
    @wraps(command)
    def run(settings: Settings, at: Path | None, **kwargs: Any) -> None:
        folder = at or settings.model_registry
        if folder is None:
            raise click.UsageError("name the registry: set SHELFSTREAM_MODEL_REGISTRY, or give --registry")
        command(registry=Registry(folder, Taxonomy.of(settings.taxonomy)), **kwargs)

    return run


@click.group()
def models() -> None:
    """The models of the registry: which serve, which are tried, and the way back."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@with_registry
def list_models(registry: Registry, as_json: bool) -> None:
    """List all models, the oldest first: what each does now, how well it did, and whether it is sound."""
    if not registry.folder.is_dir():
        raise StopWorker(f"There is no registry {registry.folder}: begin it with `shelfstream models add`.")
    deployment = registry.deployment()
    rows = [_row(registry, deployment, version) for version in registry.versions()]
    if as_json:
        click.echo(json.dumps({"deployment": _shown(deployment), "models": rows}, indent=2))
        return
    _tell(deployment)
    if not rows:
        click.echo("The registry holds no models.")
        return
    table = new_table("model", "role", "state", "published unseen", "right of it")
    for row in rows:
        table.add_row(
            row["version"], row["role"], row["state"], _share(row["published"]), _share(row["precision"])
        )
    print_table(table)


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@with_registry
def add(registry: Registry, folder: Path) -> None:
    """Take a copy of a trained model's FOLDER in; it serves nobody until it is promoted or tried."""
    version = registry.add(folder)
    click.echo(f"{version} is in the registry {registry.folder}.")


@models.command()
@click.argument("version")
@with_registry
def promote(registry: Registry, version: str) -> None:
    """Let VERSION serve."""
    _tell(registry.promote(version))
    click.echo(_SOON)


@models.command()
@with_registry
def rollback(registry: Registry) -> None:
    """Let serve again what served before, and end every trial; once more goes forward again."""
    _tell(registry.rollback())
    click.echo(_SOON)


@models.command()
@click.argument("version", required=False)
@click.option("--off", is_flag=True, help="End it.")
@with_registry
def shadow(registry: Registry, version: str | None, off: bool) -> None:
    """Let VERSION judge beside what serves, publishing nothing: metrics and status count the differences."""
    _one_of(version, off)
    _tell(registry.set_shadow(version))
    click.echo(_SOON)


@models.command()
@click.argument("version", required=False)
@click.option(
    "--share",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=0.05,
    show_default=True,
    help="Of the products.",
)
@click.option("--off", is_flag=True, help="End it.")
@with_registry
def canary(registry: Registry, version: str | None, share: float, off: bool) -> None:
    """Let VERSION publish for a share of the products, always the same ones."""
    _one_of(version, off)
    _tell(registry.set_canary(version, share))
    click.echo(_SOON)


def _one_of(version: str | None, off: bool) -> None:
    if (version is None) != off:
        raise click.UsageError("name a version, or say --off")


def _row(registry: Registry, deployment: Deployment, version: str) -> dict[str, Any]:
    """What is to be told of a version."""
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
    """What it published on shops that it was trained without, and the share right of that: plain means."""
    unseen = [each for each in manifest.measurements if each.name.startswith("unseen ")]
    if not unseen:
        return {"published": None, "precision": None}
    return {
        "published": sum(each.published for each in unseen) / len(unseen),
        "precision": sum(each.precision for each in unseen) / len(unseen),
    }


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _shown(deployment: Deployment) -> dict[str, Any]:
    return {name: getattr(deployment, name) for name in deployment.__struct_fields__}


def _tell(deployment: Deployment) -> None:
    """What serves, in words."""
    click.echo(f"Serving: {_name(deployment.serving)}")
    if deployment.serving is not None or deployment.previous is not None:
        click.echo(f"Before:  {_name(deployment.previous)} (`shelfstream models rollback` returns to it)")
    if deployment.shadow is not None:
        click.echo(f"Shadow:  {deployment.shadow}")
    if deployment.canary is not None:
        click.echo(f"Canary:  {deployment.canary} for {deployment.canary_share:.1%} of the products")


def _name(version: str | None) -> str:
    return "the model that workers have without a registry" if version is None else version
