"""The command line itself: what it says without a command, its sections, and completion."""

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from streams.cli import COMMANDS, SECTIONS, main


def test_without_a_command_it_says_what_one_can_do() -> None:
    said = CliRunner().invoke(main, [])
    assert said.exit_code == 0
    named = [line.split()[1] for line in said.stdout.splitlines() if line.startswith("  shelfstream ")]
    assert len(named) == 6 and set(named) <= set(COMMANDS)


def test_help_lists_each_command_once_in_its_section() -> None:
    helped = CliRunner().invoke(main, ["--help"]).stdout
    lines = helped[helped.index(f"{next(iter(SECTIONS))}:") :].splitlines()
    expected = [row for title, section in SECTIONS.items() for row in (f"{title}:", *section)]
    assert [line.split("  ")[1 if line.startswith("  ") else 0] for line in lines if line] == expected


def test_each_command_says_in_a_line_what_it_does() -> None:
    context = main.make_context("shelfstream", ["settings"])
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        assert len(command.get_short_help_str(200)) > 20, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_calls_the_program(shell: str) -> None:
    printed = CliRunner().invoke(main, ["completion", shell])
    assert printed.exit_code == 0
    assert "_SHELFSTREAM_COMPLETE" in printed.stdout


def test_commands_and_options_are_completed() -> None:
    completion = ShellComplete(main, {}, "shelfstream", "_SHELFSTREAM_COMPLETE")
    assert [each.value for each in completion.get_completions([], "do")] == ["doctor"]
    assert "--rules" in [each.value for each in completion.get_completions(["metrics"], "--r")]


def test_another_shell_is_refused_with_those_that_are_known() -> None:
    refused = CliRunner().invoke(main, ["completion", "tcsh"])
    assert refused.exit_code == 2 and "'bash', 'zsh', 'fish'" in refused.stderr
