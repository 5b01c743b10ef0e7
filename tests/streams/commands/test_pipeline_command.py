"""The command `shelfstream pipeline`: one file, completed steps, error messages."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.registry.registry import Registry
from models.taxonomy.tree import Taxonomy
from models.training_pipeline.config import read_pipeline
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
    # Titles that differ only in numbers are near-duplicates. Distinct words let some be held out.
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


def test_each_step_runs_once_until_something_changes(plan: Path) -> None:
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
    # The label check does not depend on the training. The new model is not significantly better.
    assert changed.output.count("done before") == 1
    assert changed.exit_code == 3
    assert "Held back" in changed.output
    assert registry.versions() == [version]
    # Only the gate is asked again, as it held the model back.
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
def test_an_invalid_pipeline_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(text)
    with pytest.raises(StopWorker, match=says):
        read_pipeline(path)
    result = run(path)
    assert result.exit_code == 1
    assert "pipeline.toml" in result.output


def test_a_missing_file_of_the_pipeline_is_named(plan: Path) -> None:
    plan.write_text(plan.read_text().replace("[train]", '[train]\ncorrections = "none.tsv"'))
    result = run(plan)
    assert result.exit_code == 1
    assert "none.tsv" in result.output


def test_titles_that_are_too_similar_to_hold_any_out_are_an_error(plan: Path) -> None:
    path = plan.parent / "data" / "products" / "acme.tsv"
    path.write_text("title\tcategory_path\n" + "".join(f"Zorvo mug {n}\tDrinkware\n" for n in range(9)))
    result = run(plan)
    assert result.exit_code == 1
    assert "labeled titles to learn from" in result.output or "hold out no title" in result.output
