"""The command line. Each command is a module that is imported when it is called, so that `--help` is fast."""

from importlib import import_module
from typing import cast

import click

COMMANDS: dict[str, str] = {
    "demo": "streams.demo.command:demo",
    "worker": "streams.worker:worker",
    "status": "streams.commands.operate.status:status",
    "doctor": "streams.commands.operate.doctor:doctor",
    "settings": "streams.commands.operate.settings:settings",
    "topics": "streams.commands.operate.topics:topics",
    "metrics": "streams.commands.operate.metrics:metrics",
    "replay": "streams.commands.operate.replay_group:replay",
    "dead-letters": "streams.commands.operate.dead_letters:dead_letters",
    "erase": "streams.commands.operate.erase:erase",
    "audit": "streams.commands.operate.audit:audit",
    "state": "streams.commands.operate.state:state",
    "import": "streams.commands.offline.import_events:import_events",
    "enrich": "streams.commands.offline.enrich:enrich",
    "models": "streams.commands.modeling.models:models",
    "explain": "streams.commands.offline.explain:explain",
    "feedback": "streams.commands.modeling.feedback:feedback",
    "labels": "streams.commands.modeling.labels:labels",
    "train": "streams.commands.modeling.train:train",
    "encoder": "streams.commands.modeling.encoder:encoder",
    "gate": "streams.commands.modeling.gate:gate",
    "pipeline": "streams.commands.modeling.pipeline:pipeline",
    "evaluate": "streams.commands.modeling.evaluate:evaluate",
    "affinity": "streams.commands.offline.affinity:affinity",
    "shopper": "streams.commands.operate.published:shopper",
    "contracts": "streams.commands.offline.contracts:contracts",
}


class LazyGroup(click.Group):
    """A click group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command `cmd_name`. Returns None if there is no such command."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.split(":")
        return cast(click.Command, getattr(import_module(module), attribute))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shelfstream")
def main() -> None:
    """Classify product listings and compute related products from shopper behavior, exactly once."""
