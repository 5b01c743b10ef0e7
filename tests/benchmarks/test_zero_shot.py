"""The benchmark of zero-shot classification computes the figures of its table."""

from random import Random

from benchmarks.zero_shot import EvaluationSet, measure
from models.taxonomy.tree import Taxonomy
from models.zero_shot.classifier import ZeroShotClassifier

TREE = Taxonomy("tiny-1", {1: ("Mugs",), 2: ("Shirts",), 3: ("Shirts", "Long Sleeve Shirts")}, {})
INDEX = {node.name: node.index for node in TREE.nodes}


def test_a_row_has_accuracy_published_precision_and_off_tree() -> None:
    texts = ["ceramic coffee mug", "tin mug", "cotton shirts", "shirts with long sleeves"]
    labels = [INDEX["Mugs"], INDEX["Shirts"], INDEX["Shirts"], INDEX["Long Sleeve Shirts"]]
    evaluation_set = EvaluationSet("tiny", TREE, texts, labels)
    row = measure(evaluation_set, ZeroShotClassifier.load(TREE))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    # One label of four is wrong on purpose: its title is published even without the label's department.
    assert (cells[:4], cells[4]) == (["tiny", "3", "4", "75.0%"], "100.0%")
    assert (cells[6], cells[7], cells[8]) == ("100.0%", "75.0%", "25.0%")


def test_a_sample_keeps_titles_and_labels_together() -> None:
    evaluation_set = EvaluationSet("tiny", TREE, [str(number) for number in range(9)], list(range(9)))
    chosen = evaluation_set.sample(4, Random(7))
    assert [int(text) for text in chosen.texts] == chosen.labels
    assert len(set(chosen.labels)) == 4
    assert len(evaluation_set.sample(20, Random(7)).texts) == 9
