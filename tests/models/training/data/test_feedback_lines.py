"""Human feedback as training data: reading, precedence, conflicts, and its own data set."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.student.artifact import Artifact
from models.taxonomy.label_hierarchy import same_or_ancestor
from models.training.data.corpus import split_of
from models.training.data.corrections import COLUMNS, Suggestion, read_corrections, write_suggestions
from models.training.data.examples import HumanLabels, read_examples
from models.training.data.feedback_lines import (
    FeedbackLine,
    encode_line,
    feedback_examples,
    find_conflicts,
    read_feedback,
)
from models.training.run.training_run import TrainingSettings, train_model
from models.training.student.config import TrainingConfig
from schemas.errors import StopWorker
from schemas.events import Source, Verdict
from tests.support.tiny_shops import TREE, write_shops

WEAR, SHOES, SHIRTS, FOOD, MILK, TEA = range(1, 7)
INDEX = {node.id: node.index for node in TREE.nodes}


def line(product_id: str, text: str, category_id: int, **fields: object) -> FeedbackLine:
    template = FeedbackLine(
        product_id=product_id,
        text=text,
        category_id=category_id,
        taxonomy_version=TREE.version,
        verdict=Verdict.CORRECT,
        who="a1",
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        source=Source(topic="category-feedback", partition=0, offset=7),
    )
    return msgspec.structs.replace(template, **fields)


def write_lines(path: Path, lines: list[FeedbackLine]) -> Path:
    path.write_bytes(b"".join(encode_line(each) + b"\n" for each in lines))
    return path


LINES = st.lists(
    st.builds(line, st.sampled_from("pqrs"), st.sampled_from(["tea", "milk tea", "shoe"]), st.integers(1, 6)),
    max_size=8,
)


@given(LINES)
def test_each_text_has_one_category_or_is_a_conflict(lines: list[FeedbackLine]) -> None:
    examples = feedback_examples(lines, TREE, 2.0)
    conflicts = {each.text for each in find_conflicts(lines, TREE)}
    by_text = {example.text: example for example in examples}
    assert len(by_text) == len(examples)
    assert by_text.keys() | conflicts == {each.text for each in lines}
    assert not by_text.keys() & conflicts
    for example in examples:
        said = [INDEX[each.category_id] for each in lines if each.text == example.text]
        assert example.category in said
        # All feedback on it is the category itself or an ancestor of it.
        assert all(category in TREE.ancestors(example.category) for category in said)
        assert (example.shop, example.weight, example.split) == ("feedback", 2.0, split_of(example.text))
    for text in conflicts:
        said = [INDEX[each.category_id] for each in lines if each.text == text]
        assert any(not same_or_ancestor(one, other, TREE) for one in said for other in said)


@given(LINES)
def test_written_lines_are_read_and_the_last_line_on_a_product_wins(
    tmp_path_factory: pytest.TempPathFactory, lines: list[FeedbackLine]
) -> None:
    path = write_lines(tmp_path_factory.mktemp("feedback") / "feedback.jsonl", lines)
    read = read_feedback(path, TREE)
    assert {each.product_id: each for each in read} == {each.product_id: each for each in lines}
    assert len(read) == len({each.product_id for each in lines})


def test_attributes_make_a_second_example_in_the_same_split() -> None:
    (title, longer) = feedback_examples([line("p", "tea", TEA, attributes="leaf green")], TREE, 1.0)
    assert (title.text, longer.text, longer.kind) == ("tea", "tea leaf green", "attributes")
    assert title.split == longer.split


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "line 2"),
        (encode_line(line("p", "tea", TEA, taxonomy_version="other-1")), "of other-1"),
        (encode_line(line("p", "tea", 77)), "category 77"),
    ],
)
def test_feedback_of_another_tree_is_rejected(tmp_path: Path, raw: bytes, problem: str) -> None:
    path = tmp_path / "feedback.jsonl"
    path.write_bytes(encode_line(line("q", "tea", TEA)) + b"\n" + raw + b"\n")
    with pytest.raises(StopWorker, match=problem):
        read_feedback(path, TREE)


def write_table(path: Path, *rows: tuple[str, str, str, str]) -> Path:
    """A reviewed table of shop, title, suggested, accept."""
    with path.open("w", encoding="utf-8", newline="") as target:
        table = csv.writer(target, dialect="excel-tab")
        table.writerow(COLUMNS)
        for shop, title, suggested, accept in rows:
            table.writerow([shop, title, "", suggested, "0.9", "", accept])
    return path


def test_only_accepted_corrections_count_and_may_be_edited(tmp_path: Path) -> None:
    path = write_table(
        tmp_path / "suggestions.tsv",
        ("flipkart", 'a "quoted" tea', "6 - Food > Tea", "yes"),
        ("flipkart", "milk", "5", " Yes"),
        ("flipkart", "shoe", "2 - Wear > Shoes", "no"),
        ("flipkart", "shirt", "", ""),
    )
    assert read_corrections(path, TREE) == {
        ("flipkart", 'a "quoted" tea'): INDEX[TEA],
        ("flipkart", "milk"): INDEX[MILK],
    }


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (("flipkart", "milk", "5", "perhaps"), "line 3: `accept` is 'perhaps'"),
        (("flipkart", "milk", "", "yes"), "line 3: `suggested`"),
        (("flipkart", "milk", "99 - Milk", "yes"), "line 3: `suggested`"),
        (("flipkart", "tea", "5", "yes"), "line 3: another row"),
    ],
)
def test_invalid_corrections_are_rejected(
    tmp_path: Path, row: tuple[str, str, str, str], problem: str
) -> None:
    path = write_table(tmp_path / "suggestions.tsv", ("flipkart", "tea", "6", "yes"), row)
    with pytest.raises(StopWorker, match=problem):
        read_corrections(path, TREE)


def test_another_table_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("shop\ttitle\n", encoding="utf-8")
    with pytest.raises(StopWorker, match="lacks columns"):
        read_corrections(path, TREE)


def test_accepted_suggestions_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "suggestions.tsv"
    with path.open("w", encoding="utf-8", newline="") as target:
        write_suggestions(target, [Suggestion("openbg", '鞋 "x"', 0, INDEX[SHOES], 0.5, "why")], TREE)
    text = path.read_text(encoding="utf-8")
    assert read_corrections(path, TREE) == {}
    path.write_text(text.rstrip("\n") + "yes\n", encoding="utf-8")
    assert read_corrections(path, TREE) == {("openbg", '鞋 "x"'): INDEX[SHOES]}


def test_feedback_changes_the_data_and_stays_a_shop_of_its_own(tmp_path: Path) -> None:
    write_shops(tmp_path)
    feedback = write_lines(tmp_path / "feedback.jsonl", [line("p", "mint tea shirt", SHIRTS)])
    title = "acme red green tea x"
    table = write_table(tmp_path / "table.tsv", ("flipkart", title, "5", "yes"))
    before = read_examples(tmp_path, TREE, HumanLabels(), 1.0)
    after = read_examples(tmp_path, TREE, HumanLabels(feedback, table), 3.0)
    changed = [(old, new) for old, new in zip(before, after, strict=False) if old != new]
    assert [(new.shop, new.text, new.category) for _, new in changed] == [("flipkart", title, INDEX[MILK])]
    assert [(each.shop, each.weight) for each in after[len(before) :]] == [("feedback", 3.0)]
    stranger = write_table(tmp_path / "stranger.tsv", ("flipkart", "no such title", "5", "yes"))
    with pytest.raises(StopWorker, match="no such title"):
        read_examples(tmp_path, TREE, HumanLabels(None, stranger), 1.0)


def test_feedback_on_a_shop_s_title_overrides_its_label_but_no_correction(tmp_path: Path) -> None:
    write_shops(tmp_path)
    tea, milk = "acme red green tea x", "acme red oat milk x"
    words = [line("p", tea, MILK), line("q", milk, FOOD), line("r", "一鞋子", MILK)]
    feedback = write_lines(tmp_path / "feedback.jsonl", words)
    table = write_table(tmp_path / "table.tsv", ("instacart", tea, "3", "yes"))
    found = read_examples(tmp_path, TREE, HumanLabels(feedback, table), 1.0)
    labels = {(each.shop, each.text): TREE.nodes[each.category].id for each in found}
    assert [labels[shop, tea] for shop in ("flipkart", "instacart", "feedback")] == [MILK, SHIRTS, MILK]
    # The feedback is only coarser than the shop's label, which is kept.
    assert [labels[shop, milk] for shop in ("flipkart", "instacart", "feedback")] == [MILK, MILK, FOOD]
    # The texts with the title's attributes have the same label.
    assert {labels[shop, text] for shop, text in labels if text.startswith("一鞋子 ")} == {MILK}


def test_feedback_overrides_labels_of_shops_that_only_an_own_tree_has(tmp_path: Path) -> None:
    (tmp_path / "products").mkdir()
    (tmp_path / "mappings").mkdir()
    (tmp_path / "products" / "acme.tsv").write_text("title\tcategory_path\nGreen tea\tHot\nOat milk\tCold\n")
    (tmp_path / "mappings" / "acme.tsv").write_text(f"label\tcategory_id\nHot\t{TEA}\nCold\t{MILK}\n")
    feedback = write_lines(tmp_path / "feedback.jsonl", [line("p", "green tea", SHOES)])
    found = read_examples(tmp_path, TREE, HumanLabels(feedback), 1.0)
    labels = {(each.shop, each.text): TREE.nodes[each.category].id for each in found}
    assert labels == {
        ("acme", "green tea"): SHOES,
        ("acme", "oat milk"): MILK,
        ("feedback", "green tea"): SHOES,
    }


def test_a_model_trained_on_feedback_says_so_and_unseen_shops_are_evaluated_without_it(
    tmp_path: Path,
) -> None:
    write_shops(tmp_path)
    letters = [chr(97 + number % 26) * (1 + number // 26) for number in range(60)]
    words = [line(f"p{each}", f"zorb {each}", TEA) for each in letters]
    feedback = write_lines(tmp_path / "feedback.jsonl", words)
    config = TrainingConfig(dimensions=8, epochs=6, batch=32)
    settings = TrainingSettings(config=config, unseen=True, taxonomy=TREE, human_labels=HumanLabels(feedback))
    manifest = train_model(tmp_path, tmp_path / "student", settings)
    assert Artifact.load(tmp_path / "student", TREE).manifest == manifest
    assert manifest.command.endswith(" --with-feedback FEEDBACK --feedback-weight 5")
    counted = {each.name: each.train + each.calibration + each.test for each in manifest.training_data}
    assert counted["feedback"] == len(words)
    measured = {each.name: each for each in manifest.measurements}
    assert measured["feedback title"].accuracy[0] == 1.0
    assert not [name for name in measured if name.startswith("unseen feedback")]
