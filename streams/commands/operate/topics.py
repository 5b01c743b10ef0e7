"""`shelfstream topics`: list, create and check the topics, and print the ACLs that they need."""

from typing import get_args

import click
import orjson

from streams.acls import Role, as_commands, least_acls
from streams.commands.terminal_tables import new_table, print_table
from streams.options import with_settings
from streams.replay.broker_admin import BrokerAdmin
from streams.settings import Settings
from streams.topics import DAY_MS, MIB, Difference, TopicSpec, desired, diff, diff_partitions


@click.group()
def topics() -> None:
    """List, create and check the topics, and print the ACLs that they need."""


@topics.command("list")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@with_settings
def list_topics(settings: Settings, markdown: bool) -> None:
    """List the required configuration of each topic. Needs no broker."""
    if markdown:
        click.echo(manual(settings))
        return
    table = new_table("topic", "key", "partitions", "cleanup", "kept", "carries")
    for spec in desired(settings):
        carries = f"{spec.carries} (internal)" if spec.internal else spec.carries
        table.add_row(spec.name, spec.key, str(spec.partitions), spec.cleanup, _kept(spec), carries)
    print_table(table)


@topics.command()
@click.option("--fix", is_flag=True, help="Also set the configuration of existing topics that differ.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
@with_settings
def create(settings: Settings, fix: bool, dry_run: bool) -> None:
    """Create the missing topics.

    Then lists the differences that remain. Exits 1 if workers would refuse to start.
    """
    if settings.embedded:
        click.echo("The embedded broker creates topics at first use. There is nothing to create.")
        return
    admin = BrokerAdmin(settings)
    specs = {spec.name: spec for spec in desired(settings)}
    differences = diff(tuple(specs.values()), admin.describe(specs))
    missing = [specs[each.topic] for each in differences if each.kind == "existence"]
    configured = [each for each in differences if "." in each.kind] if fix else []
    if not dry_run:
        admin.create(missing)
        for each in configured:
            admin.configure(each.topic, {each.kind: each.want})
    verb = "would be" if dry_run else "was"
    for spec in missing:
        click.echo(f"{spec.name} {verb} created with {spec.partitions} partitions")
    for each in configured:
        click.echo(f"{each.topic}: {each.kind} {verb} set from {each.have} to {each.want}")
    created = {spec.name for spec in missing}
    _report([each for each in differences if each.topic not in created and each not in configured])


@topics.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@click.option("--strict", is_flag=True, help="Exit 1 also on differences that workers tolerate.")
@with_settings
def check(settings: Settings, as_json: bool, strict: bool) -> None:
    """Compare the broker's topics with the required ones.

    Exits 1 if workers would refuse to start.
    """
    wanted = desired(settings)
    admin = BrokerAdmin(settings)
    actual = admin.describe((spec.name for spec in wanted), with_config=not settings.embedded)
    differences = diff_partitions(wanted, actual) if settings.embedded else diff(wanted, actual)
    if as_json:
        click.echo(orjson.dumps([each._asdict() for each in differences], option=orjson.OPT_INDENT_2))
        failed = [each for each in differences if strict or each.refused]
        raise click.exceptions.Exit(1 if failed else 0)
    _report(differences, strict)


@topics.command()
@click.option(
    "--for",
    "role",
    type=click.Choice(get_args(Role)),
    default="worker",
    show_default=True,
    help="worker: the agents of the settings. operator: all commands that connect to Kafka. producer: writes "
    "the input topics. consumer: reads the output topics.",
)
@click.option("--principal", help="Who is granted them.  [default: User: and sasl_username]")
@click.option("--command-config", help="The administrator's client properties, for kafka-acls.sh.")
@with_settings
def acls(settings: Settings, role: Role, principal: str | None, command_config: str | None) -> None:
    """Print the least ACLs as commands for kafka-acls.sh. Needs no broker.

    A worker needs its own for as long as it runs. A consumer needs Read on its own group besides.
    """
    if principal is None:
        if settings.sasl_username is None:
            raise click.UsageError(
                "name who is granted them: --principal User:NAME; with client certificates NAME is the "
                "subject, such as User:CN=shelfstream"
            )
        principal = f"User:{settings.sasl_username}"
    options = ["--bootstrap-server", settings.bootstrap_servers]
    options += ["--command-config", command_config] if command_config else []
    for command in as_commands(least_acls(settings, role), principal, options):
        click.echo(command)


def _report(differences: list[Difference], strict: bool = False) -> None:
    """Print the differences and exit 1 if a worker would refuse one of them, or `strict` counts it."""
    if not differences:
        click.echo("All topics are as required.")
        return
    table = new_table("topic", "property", "required", "actual", "what to do")
    for each in differences:
        table.add_row(
            each.topic, each.kind, each.want, each.have, each.remedy, style="" if each.refused else "dim"
        )
    print_table(table)
    if any(strict or each.refused for each in differences):
        raise click.exceptions.Exit(1)


def manual(settings: Settings) -> str:
    """Return the Markdown table of all topics."""
    rows = [
        f"| `{spec.name}` | {spec.key} | {spec.cleanup} | {_kept(spec)} |"
        f" {spec.max_message_bytes // MIB} MiB | {spec.carries}{' (internal)' if spec.internal else ''} |"
        for spec in desired(settings)
    ]
    head = ["| topic | key | cleanup | kept | largest | carries |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _kept(spec: TopicSpec) -> str:
    if spec.retention_ms is None:
        return "last of each key"
    return "for ever" if spec.retention_ms < 0 else f"{spec.retention_ms // DAY_MS} days"
