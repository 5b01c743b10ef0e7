"""Prototypes and the teacher, with an encoder small enough to see through: a text's letters, counted."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.prototypes import Floats, Prototypes
from models.taxonomy import Taxonomy
from models.training.corpus import Example
from models.training.student import Recipe, count_matrix, train
from models.training.teacher import Teacher, word_examples

TREE = Taxonomy(
    "tiny-1",
    {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",), 4: ("Food", "Milk")},
    {},
    {2: [("en", "Zzyzx"), ("zh", "球鞋")]},
)
INDEX = {node.name: node.index for node in TREE.nodes}


def encode(texts: Sequence[str]) -> Floats:
    counts = np.array([[text.count(chr(97 + letter)) for letter in range(26)] for text in texts])
    return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), dtype=np.float32)


def test_each_category_has_its_name_and_path_and_each_english_synonym_as_points() -> None:
    prototypes = Prototypes.of(TREE, encode)
    assert np.bincount(prototypes.categories).tolist() == [
        2 if node.name == "Shoes" else 1 for node in TREE.nodes
    ]
    assert np.allclose(np.linalg.norm(prototypes.vectors, axis=1), 1.0, atol=1e-6)


def test_a_text_is_as_near_as_the_nearest_point() -> None:
    prototypes = Prototypes.of(TREE, encode)
    scores = prototypes.scores(encode(["xyzzz", "milk"]))
    assert scores.shape == (2, len(TREE))
    assert scores.argmax(axis=1).tolist() == [INDEX["Shoes"], INDEX["Milk"]]
    assert scores[0, INDEX["Shoes"]] == pytest.approx(1.0)


def test_the_student_learns_from_the_teacher_what_no_title_says() -> None:
    """No title at all: the teacher places two words, and the student then knows them, each seen once."""
    taught = word_examples(Teacher("letters", encode, ["klim", "zyzxz"]), TREE, 1.0)
    for example in taught:
        assert sum(share for _, share in example.shares) == pytest.approx(1.0)
    titles = [Example("loaf", INDEX["Food"], "tiny", "train")]
    student = train([*taught, *titles], TREE, Recipe(dimensions=8, epochs=60, batch=4, dropout=0.0))
    logits = student.logits(count_matrix([["=klim"], ["=zyzxz"]], student.hashes))
    assert logits.argmax(axis=1).tolist() == [INDEX["Milk"], INDEX["Shoes"]]
