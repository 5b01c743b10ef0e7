"""Support vectors: a joined student has the sum of both logits, and keeps its order of other categories."""

from dataclasses import replace

import numpy as np
import pytest

from models.text.features import text_features
from models.training.data.corpus import Example, category_examples
from models.training.student.config import TrainingConfig
from models.training.student.student import Student, count_matrix
from models.training.student.support_vectors import MARGIN_WEIGHT, fit_support_vectors, join
from models.training.student.trainer import train
from tests.support.tiny_shops import COLORS, TITLES, TREE

NODES = {node.name: node.index for node in TREE.nodes}


def titles(*names: str) -> list[Example]:
    return [
        Example(f"{color} {title}", NODES[name], "tiny", "train")
        for name in names
        for title in TITLES[name]
        for color in COLORS
    ]


@pytest.fixture(scope="module")
def student() -> Student:
    config = TrainingConfig(dimensions=8, epochs=4, batch=16, rows=2000)
    return train([*titles(*TITLES), *category_examples(TREE, 1.0)], TREE, config)


@pytest.mark.parametrize("names", [tuple(TITLES), ("Tea", "Milk")])
def test_the_margins_are_added_to_the_logits(student: Student, names: tuple[str, ...]) -> None:
    examples = titles(*names)
    vectors = fit_support_vectors(student, examples, TREE, rank=64, seed=1)
    assert vectors is not None
    counts = count_matrix([text_features(example.text) for example in examples], student.hashes)
    alone = replace(student, table=vectors.table, weights=vectors.weights, bias=vectors.bias)
    margins = alone.logits(counts)
    labels = [example.category for example in examples]
    assert (margins.argmax(axis=1) == labels).all()
    joined = join(student, vectors, 0.6)
    expected = 0.6 * student.logits(counts) + MARGIN_WEIGHT * margins
    assert joined.logits(counts) == pytest.approx(expected, abs=1e-3)


def test_categories_without_titles_keep_the_difference_that_the_student_makes(student: Student) -> None:
    vectors = fit_support_vectors(student, titles("Shoes", "Shirts"), TREE, rank=64, seed=1)
    assert vectors is not None
    counts = count_matrix([text_features("mint tea")], student.hashes)
    joined = join(student, vectors, 1.0).logits(counts)[0]
    own = student.logits(counts)[0]
    assert joined[NODES["Tea"]] - joined[NODES["Milk"]] == pytest.approx(
        own[NODES["Tea"]] - own[NODES["Milk"]], abs=1e-3
    )


def test_more_categories_than_directions_keep_the_margins_that_vary_most(student: Student) -> None:
    examples = titles(*TITLES)
    counts = count_matrix([text_features(example.text) for example in examples], student.hashes)
    errors = []
    for rank in (1, 2, 4, 6):
        exact = fit_support_vectors(student, examples, TREE, rank=64, seed=1)
        fewer = fit_support_vectors(student, examples, TREE, rank=rank, seed=1)
        assert exact is not None
        assert fewer is not None
        assert fewer.table.shape[1] == rank
        errors.append(
            np.abs(join(student, exact, 1.0).logits(counts) - join(student, fewer, 1.0).logits(counts)).mean()
        )
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3


def test_the_heavier_of_two_labels_of_a_title_wins(student: Student) -> None:
    counts = count_matrix([text_features("red mint tea")], student.hashes)
    found = []
    for heavier in ("Tea", "Milk"):
        disputed = [
            Example("red mint tea", NODES[name], "tiny", "train", weight=5.0 if name == heavier else 1.0)
            for name in ("Tea", "Milk")
        ]
        vectors = fit_support_vectors(student, disputed, TREE, rank=64, seed=1)
        assert vectors is not None
        alone = replace(student, table=vectors.table, weights=vectors.weights, bias=vectors.bias)
        found.append(int(alone.logits(counts)[0, [NODES["Tea"], NODES["Milk"]]].argmax()))
    assert found == [0, 1]


def test_titles_of_one_category_have_no_support_vectors(student: Student) -> None:
    assert fit_support_vectors(student, titles("Tea"), TREE, rank=64, seed=1) is None
