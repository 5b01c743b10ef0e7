"""The benchmark of classifiers computes accuracy and measures all titles."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.classifier_speed import accuracy, encoders_alone, titles_per_second
from models.arrays import Floats
from models.encoder.by_language import Encoders
from models.evaluation.titles import LabeledTitle
from models.taxonomy.tree import Taxonomy

TREE = Taxonomy("tiny-1", {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",), 4: ("Food", "Milk")}, {})
INDEX = {node.name: node.index for node in TREE.nodes}


def probabilities(texts: Sequence[str]) -> Floats:
    """Return probability 1 for the category that a text names."""
    return np.eye(len(TREE), dtype=np.float32)[[INDEX[text.title()] for text in texts]]


def test_accuracy_counts_the_titles_whose_label_is_deep_enough() -> None:
    labels = {"Shoes": "Shoes", "Milk": "Shoes", "Wear": "Wear"}
    titles = [LabeledTitle(text, INDEX[label], "s", "s", "en") for text, label in labels.items()]
    assert accuracy(probabilities, titles, TREE, 1) == pytest.approx(2 / 3)
    assert accuracy(probabilities, titles, TREE, 2) == pytest.approx(1 / 2)


def test_all_titles_are_classified_in_batches() -> None:
    seen: list[int] = []

    def counted(texts: Sequence[str]) -> Floats:
        seen.append(len(texts))
        return probabilities(texts)

    assert titles_per_second(counted, ["milk"] * 9000) > 0.0
    assert seen == [4000, 4000, 1000]


def test_without_encoders_probabilities_are_uniform() -> None:
    assert encoders_alone(Encoders([]), TREE)(["milk", "shoes"]).tolist() == [[0.25] * 4] * 2
