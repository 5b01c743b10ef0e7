"""The command line. Each command is a module that is imported when it is called, so that `--help` is fast."""

from importlib import import_module
from typing import cast

import click

_OPERATE, _MODELING, _OFFLINE = (f"streams.commands.{room}" for room in ("operate", "modeling", "offline"))

SECTIONS: dict[str, dict[str, str]] = {
    "Try and run": {
        "demo": "streams.demo.command:demo",
        "worker": "streams.worker:worker",
        "settings": f"{_OPERATE}.settings:settings",
        "topics": f"{_OPERATE}.topics:topics",
        "completion": f"{_OPERATE}.completion:completion",
    },
    "On call": {
        "status": f"{_OPERATE}.status:status",
        "doctor": f"{_OPERATE}.doctor:doctor",
        "metrics": f"{_OPERATE}.metrics:metrics",
        "replay": f"{_OPERATE}.replay_group:replay",
        "dead-letters": f"{_OPERATE}.dead_letters:dead_letters",
        "erase": f"{_OPERATE}.erase:erase",
        "audit": f"{_OPERATE}.audit:audit",
        "state": f"{_OPERATE}.state:state",
    },
    "Files and contracts": {
        "import": f"{_OFFLINE}.import_events:import_events",
        "enrich": f"{_OFFLINE}.enrich:enrich",
        "affinity": f"{_OFFLINE}.affinity:affinity",
        "shopper": f"{_OPERATE}.published:shopper",
        "contracts": f"{_OFFLINE}.contracts:contracts",
    },
    "Models": {
        "explain": f"{_OFFLINE}.explain:explain",
        "evaluate": f"{_MODELING}.evaluate:evaluate",
        "models": f"{_MODELING}.models:models",
        "feedback": f"{_MODELING}.feedback:feedback",
        "labels": f"{_MODELING}.labels:labels",
        "train": f"{_MODELING}.train:train",
        "encoder": f"{_MODELING}.encoder:encoder",
        "gate": f"{_MODELING}.gate:gate",
        "pipeline": f"{_MODELING}.pipeline:pipeline",
    },
}
"""The commands by what they are for, as `--help` lists them."""

COMMANDS: dict[str, str] = {name: target for section in SECTIONS.values() for name, target in section.items()}

_FIRST_STEPS = """\
What you can do now:

  shelfstream demo                   stream a real shop through a worker, with a Kafka of its own
  shelfstream explain "Red mug"      classify a title, and see which words decided
  shelfstream import --help          turn a catalog or a log of another system into events
  shelfstream topics create          create the topics on your Kafka (SHELFSTREAM_BOOTSTRAP_SERVERS)
  shelfstream worker                 run the agents on it
  shelfstream doctor                 examine a deployment

`shelfstream --help` lists all commands, `shelfstream COMMAND --help` explains one.
"""


class LazyGroup(click.Group):
    """A click group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section."""
        limit = formatter.width - 6 - max(map(len, COMMANDS))
        for title, section in SECTIONS.items():
            rows = []
            for name in section:
                command = self.get_command(ctx, name)
                rows.append((name, "" if command is None else command.get_short_help_str(limit)))
            with formatter.section(title):
                formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command `cmd_name`. Returns None if there is no such command."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.split(":")
        return cast(click.Command, getattr(import_module(module), attribute))


@click.group(
    cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="shelfstream")
@click.pass_context
def main(context: click.Context) -> None:
    """Classify product listings and compute related products from shopper behavior, exactly once."""
    if context.invoked_subcommand is None:
        click.echo(_FIRST_STEPS, nl=False)
