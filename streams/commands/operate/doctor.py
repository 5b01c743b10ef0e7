"""`shelfstream doctor`: examine a deployment, and say what to do."""

from typing import Any

import click
import orjson

from streams.commands.terminal_tables import new_table, print_table
from streams.doctor.checks import examine, worst
from streams.doctor.facts import Finding, Severity
from streams.doctor.gathering import gather
from streams.options import with_settings
from streams.replay.dead_letter_view import printable
from streams.settings import Settings

_STYLE = {Severity.OK: "green", Severity.WARN: "yellow", Severity.BAD: "bold red"}


@click.command()
@with_settings
@click.option(
    "--seconds",
    type=click.FloatRange(1, 600),
    default=5.0,
    show_default=True,
    help="Seconds between two looks at the offsets, which show what moves.",
)
@click.option("--url", "urls", multiple=True, help="Address of a worker's status page; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of the findings.")
@click.option("--quiet", is_flag=True, help="Leave out what is well.")
def doctor(settings: Settings, seconds: float, urls: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Examine the brokers, topics, group, lag, state, models and this machine. Changes nothing.

    Exits 0 if all is well, 1 with warnings, 2 if something is broken.
    """
    findings = examine(gather(settings, seconds, urls))
    shown = [each for each in findings if each.severity or not quiet]
    if as_json:
        click.echo(orjson.dumps([_as_json(each) for each in shown], option=orjson.OPT_INDENT_2))
    else:
        _print_findings(shown)
    raise click.exceptions.Exit(int(worst(findings)))


def _as_json(finding: Finding) -> dict[str, Any]:
    return finding._asdict() | {"severity": finding.severity.name.lower()}


def _print_findings(findings: list[Finding]) -> None:
    table = new_table("", "check", "where", "what", "what to do")
    for severity, *texts in findings:
        name = severity.name.lower()
        table.add_row(f"[{_STYLE[severity]}]{name}[/]", *(printable(str(text)) for text in texts))
    print_table(table)
