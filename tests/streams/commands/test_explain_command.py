"""`shelfstream explain`: categories with their pieces and names, or the reason why there are none."""

from pathlib import Path

from click.testing import CliRunner

from streams.cli import main


def test_it_shows_categories_pieces_and_names() -> None:
    result = CliRunner().invoke(main, ["explain", "Ceramic strawberry design mug"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Home & Garden  0.")
    assert "mug +" in lines[1]
    assert lines[2].strip() == "names in the title: mug"


def test_an_unknown_title_is_reported() -> None:
    result = CliRunner().invoke(main, ["explain", "🙂"])
    assert result.exit_code == 0
    assert "nothing to decide by" in result.stdout


def test_a_directory_without_a_model_is_rejected_with_the_reason(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["explain", "mug", "--model", str(tmp_path)])
    assert result.exit_code == 1
    assert "manifest.json" in result.stderr


def test_where_the_student_is_unsure_the_decision_with_the_encoder_is_shown() -> None:
    result = CliRunner().invoke(main, ["explain", "Large blue teapot, Kyusu"])
    assert result.exit_code == 0, result.output
    student, _, encoder = result.stdout.partition("The student is unsure")
    assert "pieces:" in student
    assert "most similar names:" in encoder
    assert "teapot" in encoder
    sure = CliRunner().invoke(main, ["explain", "Ceramic mug"])
    assert "The student is unsure" not in sure.stdout
