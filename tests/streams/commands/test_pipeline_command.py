"""The pipeline as its user runs it: one file, steps that are not done twice, mistakes told."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.pipeline.config import read_pipeline
from models.registry.registry import Registry
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker
from streams.cli import main
from tests.streams.commands.test_own_taxonomy import TREE, write_data

PLAN = """
data = "{folder}/data"
work = "{folder}/work"
taxonomy = "{folder}/tree.csv"

[train]
epochs = 12
teacher = false
unseen = false

[gate]
registry = "{folder}/registry"
promote = true
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    (tmp_path / "tree.csv").write_text(TREE, encoding="utf-8")
    write_data(tmp_path / "data")
    # Different words, so that some are held out: titles that differ in numbers alone are near-duplicates.
    path = tmp_path / "data" / "products" / "acme.tsv"
    numbers = {str(number): chr(ord("a") + number) * 3 for number in range(12)}
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    rows = [(" ".join(numbers.get(word, word) for word in title.split()), label) for title, label in lines]
    path.write_text("".join(f"{title}\t{label}\n" for title, label in rows))
    path = tmp_path / "pipeline.toml"
    path.write_text(PLAN.format(folder=tmp_path), encoding="utf-8")
    return path


def run(plan: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["pipeline", str(plan), *options])


def test_each_step_is_done_once_until_something_changes(plan: Path) -> None:
    folder = plan.parent
    first = run(plan)
    assert first.exit_code == 0, first.output
    assert "done before" not in first.output
    assert (folder / "work" / "suggestions.tsv").exists()
    assert "known shops" in (folder / "work" / "evaluation" / "report.html").read_text()
    registry = Registry(folder / "registry", Taxonomy.load(folder / "tree.csv"))
    (version,) = registry.versions()
    assert registry.deployment().serving == version

    again = run(plan)
    assert again.output.count("done before") == 4

    plan.write_text(plan.read_text().replace("epochs = 12", "epochs = 13"))
    changed = run(plan)
    # Labels do not depend on the training; the new model is asked about, and is hardly better.
    assert changed.output.count("done before") == 1
    assert changed.exit_code == 3
    assert "Held back" in changed.output
    assert registry.versions() == [version]
    # What was held back is asked about again, and nothing before it.
    assert run(plan).output.count("done before") == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('data = "d"', "missing required field `work`"),
        ('data = "d"\nwork = "w"\n[train]\nepoch = 3', "unknown field `epoch`"),
        ('data = "d"\nwork = "w"\n[train]\nepochs = "3"', "Expected `int | null`"),
        ("data = ", "Invalid value"),
    ],
)
def test_a_file_that_is_no_pipeline_is_told_of(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(text)
    with pytest.raises(StopWorker, match=says):
        read_pipeline(path)
    result = run(path)
    assert result.exit_code == 1
    assert "pipeline.toml" in result.output


def test_a_file_that_the_plan_names_and_that_is_missing_is_told_of(plan: Path) -> None:
    plan.write_text(plan.read_text().replace("[train]", '[train]\ncorrections = "none.tsv"'))
    result = run(plan)
    assert result.exit_code == 1
    assert "none.tsv" in result.output


def test_titles_that_are_too_alike_to_hold_any_out_are_told_of(plan: Path) -> None:
    path = plan.parent / "data" / "products" / "acme.tsv"
    path.write_text("title\tcategory_path\n" + "".join(f"Zorvo mug {n}\tDrinkware\n" for n in range(9)))
    result = run(plan)
    assert result.exit_code == 1
    assert "labeled titles to learn from" in result.output or "hold out no title" in result.output
