"""`shelfstream replay`, with its subcommand `diff`."""

import click

from streams.commands.operate.replay import replay as write
from streams.commands.operate.replay_diff import diff

_DEFAULT = "write"


class _ReplayGroup(click.Group):
    """A group whose command `write` may be left out, as in `shelfstream replay TOPIC --from -2h`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the default command unless the first argument is a command."""
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [_DEFAULT, *args])


@click.group(cls=_ReplayGroup)
def replay() -> None:
    """Write a range of a topic again, or compare it with a candidate."""


replay.add_command(write, _DEFAULT)
replay.add_command(diff)
