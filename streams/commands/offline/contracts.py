"""`shelfstream contracts`: write, check and publish the JSON Schemas and the AsyncAPI document."""

from pathlib import Path

import click

from schemas import contracts as files
from schemas.asyncapi import TopicFacts
from streams.settings import Settings
from streams.topics import desired

_FOLDER = click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=files.FOLDER,
    show_default="that of the schemas package",
    help="Directory of the contract files.",
)


def public_topics() -> list[TopicFacts]:
    """Return the public topics with their default configuration."""
    return [
        TopicFacts(name=spec.name, key=spec.key, partitions=spec.partitions, config=spec.config)
        for spec in desired(Settings())
        if not spec.internal
    ]


@click.group()
def contracts() -> None:
    """Write, check and publish the contract files: JSON Schemas and an AsyncAPI document.

    They are generated from the code.
    """


@contracts.command()
@_FOLDER
def write(folder: Path) -> None:
    """Write the files that differ from the code."""
    changed = files.write(files.contract_files(public_topics()), folder)
    for path in changed:
        click.echo(f"wrote {path}")
    if not changed:
        click.echo("all files are up to date")


@contracts.command()
@_FOLDER
def check(folder: Path) -> None:
    """Check the contract files.

    Exits 1 if a file differs from the code, or if a schema is incompatible with a published one.
    """
    stale = files.outdated_files(files.contract_files(public_topics()), folder)
    broken = files.incompatibilities(folder)
    for path in stale:
        click.echo(f"{path} differs from the code: run `shelfstream contracts write`")
    for each in broken:
        click.echo(f"incompatible: {each}: undo it, or make it a new schema_version")
    if stale or broken:
        raise click.exceptions.Exit(1)
    click.echo("all files are up to date and compatible with the published schemas")


@contracts.command()
@_FOLDER
def publish(folder: Path) -> None:
    """Publish the present schemas, for a release.

    Later versions are checked against them. Exits 1 if they are incompatible with those published before.
    """
    try:
        changed = files.publish(folder)
    except ValueError as error:
        raise click.ClickException(f"not published: {error}") from error
    for path in changed:
        click.echo(f"published {path}")
    if not changed:
        click.echo("all schemas are published already")
