"""`shelfstream state`: take the state of stopped workers to another disk."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from streams.commands.terminal_tables import new_table, print_table
from streams.options import with_settings
from streams.settings import Settings
from streams.state.snapshot import StoredTable, export_snapshot, import_snapshot


@click.group()
def state() -> None:
    """Export and import the local state of workers, to start faster on a new disk."""


@state.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_settings
def export_state(settings: Settings, file: Path) -> None:
    """Write the state of this machine's stopped workers to FILE, a tar file.

    The file holds what shoppers did: keep it as safe as the topics.
    """
    snapshot = export_snapshot(settings.data_dir, settings.app_id, file)
    _print(snapshot.tables)
    click.echo(f"Exported {len(snapshot.tables)} to {file}.")


@state.command("import")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@with_settings
def import_state(settings: Settings, file: Path) -> None:
    """Put the state of FILE where the next worker that starts on this machine finds it.

    The worker reads the rest from the changelog topics. It does not use state that is of another topic or
    older than the changelog's deletions, and restores from the start instead.
    """
    taken = import_snapshot(file, settings.data_dir, settings.app_id)
    _print(taken)
    click.echo(f"Imported {len(taken)} into {settings.data_dir}; what was there and newer stays.")


def _print(tables: Sequence[StoredTable]) -> None:
    table = new_table("table and partition", "up to changelog offset", "written", "MB")
    for each in tables:
        written = datetime.fromtimestamp(each.written_at / 1000, UTC).isoformat(timespec="seconds")
        table.add_row(each.name, f"{each.offset:,}", written, f"{each.size_bytes / 1e6:,.1f}")
    print_table(table)
