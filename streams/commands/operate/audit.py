"""`shelfstream audit`: list what operators did."""

from datetime import UTC

import click
from rich.markup import escape

from schemas.audit import AuditAction, AuditEntry
from schemas.codec import encode
from streams.commands.terminal_tables import new_table, print_table
from streams.options import POSITION, with_settings
from streams.replay.audit_log import read_entries
from streams.replay.dead_letter_view import printable
from streams.replay.positions import END, START, Position
from streams.settings import Settings


@click.command()
@click.option(
    "--since",
    type=POSITION,
    default=START,
    help="Begin at this time: 2026-03-01T08:00Z, -2h or start.  [default: start]",
)
@click.option("--until", type=POSITION, default=END, help="Stop before this time.  [default: end]")
@click.option(
    "--action",
    "actions",
    multiple=True,
    type=click.Choice([each.value for each in AuditAction]),
    help="List only this action. Repeatable.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Number of entries to list."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line, newest first.")
@with_settings
def audit(
    settings: Settings, since: Position, until: Position, actions: tuple[str, ...], limit: int, as_json: bool
) -> None:
    """List who replayed, redrove, fixed, discarded, erased, acknowledged or swapped models.

    Newest first. The entries are in the topic shelfstream-audit, which is kept for ever.
    """
    found = [
        entry for entry in read_entries(settings, since, until) if not actions or entry.action in actions
    ]
    newest = sorted(found, key=lambda entry: entry.occurred_at, reverse=True)[:limit]
    if as_json:
        for entry in newest:
            click.echo(encode(entry))
        return
    if not newest:
        click.echo("No entries.")
        return
    table = new_table("time", "who", "action", "result", "counts", "options", "because")
    for entry in newest:
        table.add_row(*(escape(printable(text)) for text in _row(entry)))
    print_table(table)
    if len(found) > len(newest):
        click.echo(f"The newest {len(newest):,} of {len(found):,}; --limit lists more.")


def _row(entry: AuditEntry) -> tuple[str, ...]:
    counts = ", ".join(f"{count:,} {name}" for name, count in entry.counts.items())
    options = ", ".join(f"{name}={text}" for name, text in entry.options.items())
    time = f"{entry.occurred_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return time, entry.by, entry.action.value, entry.outcome.value, counts, options, entry.because
