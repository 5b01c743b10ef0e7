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
    show_default="the code's own",
    help="Where the contract's files lie.",
)


def public_topics() -> list[TopicFacts]:
    """The topics that neighbours write and read, with the values that they get by default."""
    return [
        TopicFacts(name=spec.name, key=spec.key, partitions=spec.partitions, config=spec.config)
        for spec in desired(Settings())
        if not spec.internal
    ]


@click.group()
def contracts() -> None:
    """The contracts with the neighbours: JSON Schemas and an AsyncAPI document, made from the code."""


@contracts.command()
@_FOLDER
def write(folder: Path) -> None:
    """Write the files that are not what the code says."""
    changed = files.write(files.contract_files(public_topics()), folder)
    for path in changed:
        click.echo(f"wrote {path}")
    if not changed:
        click.echo("everything is what the code says already")


@contracts.command()
@_FOLDER
def check(folder: Path) -> None:
    """Fail if a file is not what the code says, or a change would break a neighbour."""
    stale = files.outdated_files(files.contract_files(public_topics()), folder)
    broken = files.incompatibilities(folder)
    for path in stale:
        click.echo(f"{path} is not what the code says: run `shelfstream contracts write`")
    for each in broken:
        click.echo(f"incompatible: {each}: undo it, or make it a new schema_version")
    if stale or broken:
        raise click.exceptions.Exit(1)
    click.echo("the files are what the code says, and no neighbour breaks")


@contracts.command()
@_FOLDER
def publish(folder: Path) -> None:
    """At a release: promise the neighbours today's schemas, unless that breaks what was promised before."""
    try:
        changed = files.publish(folder)
    except ValueError as error:
        raise click.ClickException(f"not published: {error}") from error
    for path in changed:
        click.echo(f"published {path}")
    if not changed:
        click.echo("everything is published already")
