"""`shelfstream evaluate`: metrics on standard output, a page and JSON in a folder, error messages."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from models.evaluation.report import Report
from streams.cli import main
from tests.support.labeled_shops import write_shops


def test_it_prints_figures_and_writes_the_report(tmp_path: Path) -> None:
    """On the project's own titles and a tiny data folder."""
    data, output = tmp_path / "data", tmp_path / "new" / "folder"
    data.mkdir()
    write_shops(data)
    result = CliRunner().invoke(main, ["evaluate", "--data", str(data), "-o", str(output), "--no-cascade"])
    assert result.exit_code == 0, result.output
    report = msgspec.json.decode((output / "report.json").read_bytes(), type=Report)
    assert not report.cascade
    lines = result.stdout.splitlines()
    for row in report.groups.rows:
        (line,) = {line for line in lines if line.strip().startswith(f"{row.name}  ")}
        assert f"{row.levels[0].accuracy:.1%}" in line
    html = (output / "report.html").read_text("utf-8")
    assert report.model_version in html
    assert "titles/s" in result.stderr
    assert str(output / "report.html") in result.stderr


@pytest.mark.parametrize("option", ["--model", "--data"])
def test_a_folder_without_a_model_or_data_is_rejected_with_the_reason(option: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["evaluate", option, str(tmp_path), "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert {"--model": "manifest.json", "--data": "flipkart.tsv"}[option] in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(main, ["evaluate", "-o", str(tmp_path / "file" / "out"), "--no-cascade"])
    assert result.exit_code == 1
    assert "cannot write the report" in result.stderr


def test_baselines_need_data_and_their_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(main, ["evaluate", "--baselines"])
    assert result.exit_code == 2
    assert "--data" in result.stderr
    monkeypatch.setattr("streams.commands.modeling.evaluate.missing_library", lambda: "torch")
    result = CliRunner().invoke(main, ["evaluate", "--baselines", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "shelfstream[train]" in result.stderr


def test_a_tree_of_ones_own_needs_data_and_a_model_for_it(tmp_path: Path) -> None:
    tree = tmp_path / "tree.csv"
    tree.write_text("id,path\n1,Mugs\n")
    result = CliRunner().invoke(main, ["evaluate", "--taxonomy", str(tree), "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "--model" in result.stderr
