"""The commands on the pages of the formats print what the pages show."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.formats.registry import FORMATS
from streams.cli import main

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "formats"
BLOCK = re.compile(r"^<!-- run: import -->\n```console\n(.*?)```", re.DOTALL | re.MULTILINE)


def _blocks() -> list[tuple[str, str]]:
    return [
        (f"{page.stem}-{number}", block)
        for page in sorted(FOLDER.glob("*.md"))
        for number, block in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
    ]


def _steps(block: str) -> list[tuple[list[str], str]]:
    """The commands of a block, each with what it prints."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(shlex.split(part.partition("\n")[0]), part.partition("\n")[2]) for part in parts]


@pytest.mark.parametrize(("name", "block"), _blocks(), ids=[name for name, _ in _blocks()])
def test_the_page_shows_what_the_command_prints(
    name: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(FOLDER.parents[1] / "examples")
    commands = 0
    for words, shown in _steps(block):
        if words[0] == "cat":
            Path(words[1]).write_text(shown, encoding="utf-8")
            continue
        assert words[:2] == ["shelfstream", "import"]
        result = CliRunner().invoke(main, words[1:])
        assert (result.stderr if "--check" in words else result.stdout) == shown
        commands += 1
    assert commands


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_in_the_table(name: str) -> None:
    assert f"| `{name}` |" in (FOLDER / "index.md").read_text("utf-8")
