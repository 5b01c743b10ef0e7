"""`shelfstream status`: print a worker's status page."""

import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import click
import orjson

from schemas.audit import AuditAction
from streams.commands.audited import audited
from streams.commands.terminal_tables import new_table, print_table
from streams.options import with_settings
from streams.replay.dead_letter_view import printable
from streams.settings import Settings

_TIMEOUT_S = 5.0


@click.command()
@with_settings
@click.option(
    "--url", help="Address of the worker's status page.  [default: http_host and http_port of the settings]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the worker's /status.json.")
@click.option("--acknowledge", is_flag=True, help="End the warnings about lost records of this worker.")
def status(settings: Settings, url: str | None, as_json: bool, acknowledge: bool) -> None:
    """Show the status of one worker: readiness, warnings, models, lanes and drift.

    Exits 1 unless the worker is ready.
    """
    page = url or f"http://{settings.http_host}:{settings.http_port}"
    try:
        if acknowledge:
            request = urllib.request.Request(f"{page.rstrip('/')}/acknowledge", method="POST")
            with (
                audited(settings, AuditAction.ACKNOWLEDGE, worker=page) as done,
                urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer,
            ):
                done.update(orjson.loads(answer.read())["acknowledged"])
        with urllib.request.urlopen(f"{page.rstrip('/')}/status.json", timeout=_TIMEOUT_S) as answer:
            fields: dict[str, Any] = orjson.loads(answer.read())
    except (OSError, ValueError) as error:
        raise click.ClickException(
            f"No worker answers at {page}: {getattr(error, 'reason', error)}. "
            "Is it running? Name another address with --url."
        ) from error
    if as_json:
        click.echo(orjson.dumps(fields, option=orjson.OPT_INDENT_2))
    else:
        _print_status(fields)
    if not fields["ready"]:
        raise click.exceptions.Exit(1)


def _print_status(fields: dict[str, Any]) -> None:
    readiness = "ready" if fields["ready"] else "not ready"
    click.echo(f"{fields['worker_id']}: {readiness}, {fields['model_version'] or 'no model'}")
    for kind in ("reasons", "warnings"):
        for message in fields[kind]:
            click.echo(f"{kind[:-1]}: {printable(message)}")
    for line in _candidate_lines(fields):
        click.echo(line)
    table = new_table("lane", "state", "lag", "records/s", "records", "last error")
    for lane in fields["lanes"]:
        error = printable(lane["last_error"] or "")
        name = f"{lane['agent']} {lane['topic']}-{lane['partition']}"
        table.add_row(
            name, lane["state"], _number(lane["lag"]), _number(lane["rate"]), _number(lane["records"]), error
        )
    print_table(table)
    _print_dead_letters(fields.get("dead_letter_rates", ()))
    if fields["drift"] is not None:
        _print_drift(fields["drift"])


def _candidate_lines(fields: dict[str, Any]) -> list[str]:
    """Return lines about the candidate model; empty if there is none."""
    version, share, shadow = fields["candidate_version"], fields["canary_share"], fields["shadow"]
    lines = [f"canary: {version} for {share:.1%} of the products"] if share else []
    if shadow is not None:
        counts = ", ".join(f"{name} {count:,}" for name, count in shadow.items())
        lines.append(f"shadow: {version}: {counts}")
    return lines


def _print_dead_letters(rows: Sequence[dict[str, Any]]) -> None:
    """Print the dead letters of the worker since its start; nothing if there are none."""
    if not rows:
        return
    table = new_table("dead letters of", "reason", "per second", "since the start")
    for row in rows:
        topic, reason = printable(row["topic"]), printable(row["reason"])
        table.add_row(topic, reason, f"{row['per_second']:,}", f"{row['total']:,}")
    print_table(table)


def _print_drift(drift: dict[str, Any]) -> None:
    if drift["silent_why"] is not None:
        click.echo(f"drift: not measured, {drift['silent_why']}")
        return
    table = new_table("drift from the reference", "PSI", f"over {drift['listings']:,} listings")
    for name, (index, level) in drift["features"].items():
        table.add_row(name, f"{index:.3f}", level)
    print_table(table)


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,}"
