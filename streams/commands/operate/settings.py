"""`shelfstream settings`: the settings in force, where each comes from, and what it means."""

import json

import click

from streams.commands.tables import new_table, print_table
from streams.options import with_loaded
from streams.settings import NAMES, Settings, documentation, shown, variable
from streams.settings_sources import Loaded


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option("--markdown", is_flag=True, help="The manual: a Markdown table of all settings and defaults.")
@with_loaded
def settings(loaded: Loaded, as_json: bool, markdown: bool) -> None:
    """Show the settings in force, where each comes from, and what it means."""
    if markdown:
        click.echo(manual())
        return
    if as_json:
        values = {
            name: {"value": shown(loaded.settings, name), "source": loaded.sources[name]} for name in NAMES
        }
        click.echo(json.dumps(values, indent=2))
        return
    table = new_table("setting", "value", "from", "meaning")
    for name in NAMES:
        table.add_row(name, shown(loaded.settings, name), loaded.sources[name], documentation(name))
    print_table(table)


def manual() -> str:
    """The Markdown table of all settings: names, variables, defaults and meanings."""
    defaults = Settings()
    rows = [
        f"| `{name}` | `{variable(name)}` | `{shown(defaults, name)}` | {documentation(name)} |"
        for name in NAMES
    ]
    return "\n".join(["| setting | variable | default | meaning |", "| --- | --- | --- | --- |", *rows])
