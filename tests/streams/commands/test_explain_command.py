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
    sure = CliRunner().invoke(main, ["explain", "Ceramic coffee mug with handle, white"])
    assert "The student is unsure" not in sure.stdout


def test_fields_beside_the_title_are_explained() -> None:
    fields = [
        "--brand",
        "Acme",
        "--shop-category",
        "Home > Furniture",
        "--attribute",
        "availability=in stock",
    ]
    result = CliRunner().invoke(main, ["explain", "Velvet pouf", *fields, "--category", "464"])
    assert result.exit_code == 0, result.output
    _, _, listing = result.stdout.partition("The listing. ")
    lines = listing.splitlines()
    assert [line.partition(":")[0] for line in lines[1:5]] == [
        "title alone", "with brand", "with shop_category", "with category",
    ]  # fmt: skip
    assert "shop: The listing gives this category. [category: 464]" in listing
    assert lines[-1] == "not read for the category: attributes.availability"


def test_a_language_that_no_model_reads_is_named() -> None:
    result = CliRunner().invoke(main, ["explain", "Birra Moretti", "--language", "sv"])
    assert "Language: sv (given)\n    no model reads this language" in result.stdout
    assert "whole listing: nothing  to review" in result.stdout


def test_an_attribute_without_a_value_is_rejected() -> None:
    result = CliRunner().invoke(main, ["explain", "mug", "--attribute", "material"])
    assert result.exit_code == 2
    assert "write NAME=VALUE" in result.stderr
