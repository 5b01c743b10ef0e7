"""`shelfstream settings`: list the settings in force, their sources and their meaning."""

import click
import orjson

from streams.commands.terminal_tables import new_table, print_table
from streams.options import with_loaded_settings
from streams.settings import NAMES, Settings, display_value, documentation, variable
from streams.settings_sources import LoadedSettings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table of all settings and their defaults.")
@with_loaded_settings
def settings(loaded: LoadedSettings, as_json: bool, markdown: bool) -> None:
    """List the settings in force, with source and meaning. Secrets are masked."""
    if markdown:
        click.echo(manual())
        return
    if as_json:
        values = {
            name: {"value": display_value(loaded.settings, name), "source": loaded.sources[name]}
            for name in NAMES
        }
        click.echo(orjson.dumps(values, option=orjson.OPT_INDENT_2))
        return
    table = new_table("setting", "value", "from", "meaning")
    for name in NAMES:
        table.add_row(name, display_value(loaded.settings, name), loaded.sources[name], documentation(name))
    print_table(table)


def manual() -> str:
    """Return the Markdown table of all settings: name, environment variable, default and meaning."""
    defaults = Settings()
    rows = [
        f"| `{name}` | `{variable(name)}` | `{display_value(defaults, name)}` | {documentation(name)} |"
        for name in NAMES
    ]
    return "\n".join(["| setting | variable | default | meaning |", "| --- | --- | --- | --- |", *rows])
