"""The command line: one command a module, imported only when called, so that `--help` is quick."""

from importlib import import_module
from typing import cast

import click

COMMANDS: dict[str, str] = {
    "demo": "streams.demo.command:demo",
    "worker": "streams.worker:worker",
    "status": "streams.commands.status_command:status",
    "settings": "streams.commands.settings_command:settings",
    "topics": "streams.commands.topics_command:topics",
    "metrics": "streams.commands.metrics_command:metrics",
    "replay": "streams.commands.replay_command:replay",
    "dead-letters": "streams.commands.dead_letters_command:dead_letters",
    "enrich": "streams.commands.offline_enrich:enrich",
    "models": "streams.commands.models_command:models",
    "explain": "streams.commands.explain_command:explain",
    "feedback": "streams.commands.feedback_command:feedback",
    "labels": "streams.commands.labels_command:labels",
    "train": "streams.commands.train_command:train",
    "encoder": "streams.commands.encoder_command:encoder",
    "gate": "streams.commands.gate_command:gate",
    "pipeline": "streams.commands.pipeline_command:pipeline",
    "evaluate": "streams.commands.evaluate_command:evaluate",
    "affinity": "streams.commands.offline_affinity:affinity",
    "contracts": "streams.commands.contracts_command:contracts",
}


class LazyGroup(click.Group):
    """A click group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command `cmd_name`; None if there is no such command."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.split(":")
        return cast(click.Command, getattr(import_module(module), attribute))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shelfstream")
def main() -> None:
    """Turn listings into categories, tags and attributes, and behaviour into affinities, exactly once."""
