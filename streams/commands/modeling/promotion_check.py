"""What `shelfstream models promote` checks: the gate's decision on the model."""

from pathlib import Path

import click

from models.registry.gate_results import objections, read_gate_result
from models.registry.registry import Registry
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker
from streams.settings import Settings

NOT_ALLOWED = 3
"""Exit code if the gate has not allowed the promotion, as that of the gate."""


def check_gate(registry: Path, version: str, serving: str) -> None:
    """End the command unless the gate has allowed the model in place of the serving one.

    Args:
        registry: Directory of the registry.
        version: The model to promote.
        serving: Version of the model that serves now; empty if it is unknown here.

    Raises:
        SystemExit: The gate has not allowed it. The reasons are printed.
        StopWorker: The gate's decision cannot be read.
    """
    reasons = objections(read_gate_result(registry, version), version, serving)
    if not reasons:
        return
    click.echo(f"{version} is not promoted, and nothing is changed.", err=True)
    for reason in reasons:
        click.echo(f"  {reason}", err=True)
    click.echo(
        f"Run: shelfstream gate --candidate {registry / version} --registry {registry} --data DATA\n"
        "Or promote it all the same: --force. To return to the previous model, use `models rollback`.",
        err=True,
    )
    raise SystemExit(NOT_ALLOWED)


def served_version(registry: Registry, settings: Settings) -> str | None:
    """Return the version that serves now; None if the workers' own model cannot be read here."""
    serving = registry.deployment().serving
    if serving is not None:
        return serving
    try:
        own = Artifact.load(settings.model_path, Taxonomy.of(settings.taxonomy))
    except StopWorker:
        return None
    return own.manifest.model_version
