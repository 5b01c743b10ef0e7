"""`shelfstream explain`: a title's categories with the pieces that speak for them, or a plain sentence."""

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


def test_an_unknown_title_gets_a_sentence() -> None:
    result = CliRunner().invoke(main, ["explain", "🙂"])
    assert result.exit_code == 0
    assert "nothing to decide by" in result.stdout


def test_a_folder_that_is_no_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["explain", "mug", "--model", str(tmp_path)])
    assert result.exit_code == 1
    assert "manifest.json" in result.stderr


def test_where_the_student_doubts_it_shows_what_the_encoder_says_too() -> None:
    result = CliRunner().invoke(main, ["explain", "Large blue teapot, Kyusu"])
    assert result.exit_code == 0, result.output
    student, _, encoder = result.stdout.partition("The student doubts that")
    assert "pieces:" in student
    assert "most like:" in encoder
    assert "teapot" in encoder
    sure = CliRunner().invoke(main, ["explain", "Ceramic mug"])
    assert "The student doubts" not in sure.stdout
