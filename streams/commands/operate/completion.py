"""`shelfstream completion`: what a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_SHELFSTREAM_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    r"""Print the script by which SHELL completes commands and options.

    \b
    bash: echo 'eval "$(shelfstream completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(shelfstream completion zsh)"' >> ~/.zshrc
    fish: shelfstream completion fish > ~/.config/fish/completions/shelfstream.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "shelfstream", _VARIABLE).source())
