"""A custom category tree: zero-shot by its names, then with training, in commands and in the worker."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from models.enrichment.enricher import Enricher
from models.serving_config import ServingConfig
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from schemas.events import DecisionOutcome, ProductCreated
from streams.agents.factory import create_agents
from streams.cli import main
from streams.settings import Settings

TREE = """id,path,name:zh,examples
10,Kitchen,厨房用品,
11,Kitchen > Mugs,杯子,
12,Kitchen > Teapots,茶壶,Kyusu with side handle
20,Pantry Food,食品,
21,Pantry Food > Milk,牛奶,
30,Clothing,服装,
31,Clothing > Shirts,衬衫,
"""
# Names of product lines that are known in this shop only.
LINES = {"Drinkware": ("Zorvo", 11), "Brewing": ("Quibb", 12), "Dairy": ("Plimt", 21), "Tops": ("Wuxal", 31)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "acme.csv"
    path.write_text(TREE, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHELFSTREAM_DATA_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def write_data(folder: Path, mapping: str = "") -> Path:
    (folder / "products").mkdir(parents=True)
    (folder / "mappings").mkdir()
    rows = [
        f"{line} {word} {number}\t{label}"
        for label, (line, _) in LINES.items()
        for number in range(12)
        for word in ("classic", "deluxe")
    ]
    (folder / "products" / "acme.tsv").write_text("\n".join(["title\tcategory_path", *rows]) + "\n")
    lines = mapping or "".join(f"{label}\t{number}\n" for label, (_, number) in LINES.items())
    (folder / "mappings" / "acme.tsv").write_text(f"label\tcategory_id\n{lines}Other\t\n")
    return folder


def train(tree: Path, data: Path, output: Path, *options: str) -> str:
    given = ["--taxonomy", str(tree), "--data", str(data), "-o", str(output), *options]
    result = CliRunner().invoke(main, ["train", *given, "--no-teacher", "--epochs", "12"])
    return "" if result.exit_code == 0 else result.output


def test_the_target_precision_is_kept_and_a_level_without_threshold_is_named(
    tree: Path, tmp_path: Path
) -> None:
    data, output = write_data(tmp_path / "data"), tmp_path / "student"
    assert train(tree, data, output, "--target-precision", "0.99") == ""
    manifest = Artifact.load(output, Taxonomy.load(tree)).manifest
    assert manifest.target_precision == 0.99
    assert "--target-precision 0.99" in manifest.command
    assert manifest.thresholds == [1.0, 1.0]
    card = (output / "MODEL_CARD.md").read_text("utf-8")
    assert "Level 1 publishes nothing: no threshold surely reaches 99.0%." in card
    assert "calibration titles are too few; 299 would do if all were right" in card


def enriched(tree: Path, title: str, *options: str) -> dict[str, object]:
    line = orjson.dumps({"product_id": "1", "title": title})
    result = CliRunner().invoke(main, ["enrich", "-", "--taxonomy", str(tree), *options], input=line)
    assert result.exit_code == 0, result.output
    event: dict[str, object] = orjson.loads(result.stdout)
    return event


def test_listings_are_enriched_by_the_names_of_the_tree(tree: Path, data_dir: Path) -> None:
    event = enriched(tree, "蓝色男士衬衫")
    version = Taxonomy.load(tree).version
    assert event["taxonomy_version"] == version
    assert str(event["model_version"]).startswith("zero-shot-")
    assert str(event["model_version"]).endswith(f"+{version}")
    category = event["category"]
    assert isinstance(category, dict)
    assert (category["id"], category["path"]) == (31, "Clothing > Shirts")
    assert "shirts" in str(event["tags"])
    assert len(list((data_dir / "prototypes").iterdir())) == 2  # one for each encoder


def test_the_worker_serves_the_tree_of_its_settings(tree: Path, data_dir: Path) -> None:
    agents = create_agents(Settings(agents=("enrich",), taxonomy=tree, data_dir=data_dir))
    try:
        assert agents.serving is not None
        report = agents.serving.report()
        assert report.taxonomy_version == Taxonomy.load(tree).version
        assert report.model_version.startswith("zero-shot-")
        assert len(list((data_dir / "prototypes").iterdir())) == 2  # one for each encoder
    finally:
        agents.close()


def test_food_departments_have_no_color_whatever_their_name_in_the_tree(tree: Path) -> None:
    milk, shirt = Enricher.load(ServingConfig(taxonomy=tree)).enrich(
        [
            ProductCreated(product_id="1", title="organic whole milk, chocolate brown"),
            ProductCreated(product_id="2", title="chocolate brown shirt"),
        ]
    )
    assert milk.category is not None
    assert milk.category.path == "Pantry Food > Milk"
    assert "colour" not in {attribute.name for attribute in milk.attributes}
    assert "colour" in {attribute.name for attribute in shirt.attributes}


def test_the_explanation_shows_the_most_similar_names(tree: Path) -> None:
    result = CliRunner().invoke(main, ["explain", "--taxonomy", str(tree), "Japanese kyusu, side handle"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Kitchen  ")
    assert lines[1].strip().startswith("most similar names: kyusu with side handle 0.")
    nothing = CliRunner().invoke(main, ["explain", "--taxonomy", str(tree), "🙂"])
    assert "nothing to decide by" in nothing.stdout


def test_training_learns_what_the_names_do_not_tell(tree: Path, tmp_path: Path) -> None:
    """The product lines' names mean nothing to the model until it is trained on labeled titles."""
    titles = {number: f"{line} midnight 77" for line, number in LINES.values()}
    products = [ProductCreated(product_id=str(n), title=title) for n, title in titles.items()]
    before = Enricher.load(ServingConfig(taxonomy=tree)).enrich(products)
    assert {each.decision.outcome for each in before} == {DecisionOutcome.ABSTAINED}
    assert train(tree, write_data(tmp_path / "data"), tmp_path / "student") == ""
    trained = Enricher.load(ServingConfig(model=tmp_path / "student", taxonomy=tree, threshold=0.5))
    after = [each.category.alternatives[0].id for each in trained.enrich(products) if each.category]
    assert after == list(titles)
    assert trained.model_version.startswith("student-1-")
    card = (tmp_path / "student" / "MODEL_CARD.md").read_text("utf-8")
    assert "shelfstream train --taxonomy TREE" in card
    assert "| acme |" in card
    explained = CliRunner().invoke(
        main, ["explain", "--taxonomy", str(tree), "--model", str(tmp_path / "student"), "Plimt deluxe"]
    )
    assert explained.stdout.startswith("Pantry Food  ")
    assert "plimt +" in explained.stdout


def test_a_student_is_rejected_for_another_tree_than_its_own(tree: Path, tmp_path: Path) -> None:
    assert train(tree, write_data(tmp_path / "data"), tmp_path / "student") == ""
    tree.write_text(TREE.replace("Mugs", "Cups"), encoding="utf-8")
    for options in (["--taxonomy", str(tree)], []):
        result = CliRunner().invoke(
            main, ["enrich", "-", "--model", str(tmp_path / "student"), *options], input="{}"
        )
        assert result.exit_code == 1
        assert "is for the category tree acme-" in result.stderr
        assert "train for this one" in result.stderr


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("Drinkware\t99\n", "line 2: '99' is no category of acme-"),
        ("Drinkware\tMugs\n", "line 2: 'Mugs' is no category of acme-"),
        ("None of these\t11\n", "0 labeled titles to learn from"),
    ],
)
def test_training_data_that_do_not_fit_the_tree_are_rejected(
    tree: Path, tmp_path: Path, mapping: str, says: str
) -> None:
    assert says in train(tree, write_data(tmp_path / "data", mapping), tmp_path / "student")


@pytest.mark.parametrize("command", [["enrich", "-"], ["explain", "mug"]])
def test_a_broken_tree_stops_a_command_and_names_the_line(tree: Path, command: list[str]) -> None:
    tree.write_text("id,path\nA1,Kitchen\n")
    result = CliRunner().invoke(main, [*command, "--taxonomy", str(tree)], input="{}")
    assert result.exit_code == 1
    assert "line 2: the id 'A1' is no whole number" in result.stderr
