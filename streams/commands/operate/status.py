"""`shelfstream status`: what a worker's status page says, for a terminal."""

import json
import urllib.error
import urllib.request
from typing import Any

import click

from streams.commands.tables import new_table, print_table
from streams.options import with_settings
from streams.replay.dead_letter_view import printable
from streams.settings import Settings

_TIMEOUT_S = 5.0


@click.command()
@with_settings
@click.option("--url", help="The worker's status page; http_host and http_port of the settings by default.")
@click.option("--json", "as_json", is_flag=True, help="As the worker gives it.")
def status(settings: Settings, url: str | None, as_json: bool) -> None:
    """Show what one worker does: readiness, warnings, models, lanes and drift. Exits 1 unless it is ready."""
    page = url or f"http://{settings.http_host}:{settings.http_port}"
    try:
        with urllib.request.urlopen(f"{page.rstrip('/')}/status.json", timeout=_TIMEOUT_S) as answer:
            told: dict[str, Any] = json.load(answer)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"No worker answers at {page} ({error}); give --url.") from error
    if as_json:
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        _show(told)
    if not told["ready"]:
        raise click.exceptions.Exit(1)


def _show(told: dict[str, Any]) -> None:
    word = "ready" if told["ready"] else "not ready"
    click.echo(f"{told['worker_id']}: {word}, {told['model_version'] or 'no model'}")
    for kind in ("reasons", "warnings"):
        for line in told[kind]:
            click.echo(f"{kind[:-1]}: {printable(line)}")
    for line in _trial(told):
        click.echo(line)
    table = new_table("lane", "state", "lag", "records/s", "records", "last error")
    for lane in told["lanes"]:
        error = printable(lane["last_error"] or "")
        name = f"{lane['agent']} {lane['topic']}-{lane['partition']}"
        table.add_row(
            name, lane["state"], _number(lane["lag"]), _number(lane["rate"]), _number(lane["records"]), error
        )
    print_table(table)
    if told["drift"] is not None:
        _show_drift(told["drift"])


def _trial(told: dict[str, Any]) -> list[str]:
    """Which model is tried, and how; nothing where none is."""
    version, share, shadow = told["candidate_version"], told["canary_share"], told["shadow"]
    lines = [f"canary: {version} for {share:.1%} of the products"] if share else []
    if shadow is not None:
        counts = ", ".join(f"{name} {count:,}" for name, count in shadow.items())
        lines.append(f"shadow: {version}: {counts}")
    return lines


def _show_drift(drift: dict[str, Any]) -> None:
    if drift["silent_why"] is not None:
        click.echo(f"drift: nothing to say, {drift['silent_why']}")
        return
    table = new_table("drift from the training", "PSI", f"over {drift['listings']:,} listings")
    for name, (index, word) in drift["features"].items():
        table.add_row(name, f"{index:.3f}", word)
    print_table(table)


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,}"
