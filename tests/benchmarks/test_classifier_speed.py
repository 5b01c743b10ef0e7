"""The benchmark of understanding counts what it says it counts."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.classifier_speed import accuracy, alone, timed
from models.arrays import Floats
from models.encoder.by_language import Encoders
from models.evaluation.titles import LabeledTitle
from models.taxonomy.tree import Taxonomy

TREE = Taxonomy("tiny-1", {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",), 4: ("Food", "Milk")}, {})
INDEX = {node.name: node.index for node in TREE.nodes}


def shares(texts: Sequence[str]) -> Floats:
    """Sure of what a text names."""
    return np.eye(len(TREE), dtype=np.float32)[[INDEX[text.title()] for text in texts]]


def test_accuracy_is_of_the_titles_whose_label_goes_so_deep() -> None:
    said = {"Shoes": "Shoes", "Milk": "Shoes", "Wear": "Wear"}
    titles = [LabeledTitle(text, INDEX[label], "s", "s", "en") for text, label in said.items()]
    assert accuracy(shares, titles, TREE, 1) == pytest.approx(2 / 3)
    assert accuracy(shares, titles, TREE, 2) == pytest.approx(1 / 2)


def test_all_titles_are_judged_in_batches() -> None:
    seen: list[int] = []

    def counted(texts: Sequence[str]) -> Floats:
        seen.append(len(texts))
        return shares(texts)

    assert timed(counted, ["milk"] * 9000) > 0.0
    assert seen == [4000, 4000, 1000]


def test_encoders_without_a_student_start_from_nothing() -> None:
    assert alone(Encoders([]), TREE)(["milk", "shoes"]).tolist() == [[0.25] * 4] * 2
