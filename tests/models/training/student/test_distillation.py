"""Prototypes and distillation, with a tiny encoder that counts a text's letters."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.arrays import Floats
from models.encoder.artifact import Scale
from models.encoder.encoder import EncoderStage
from models.encoder.loading import load_encoders
from models.encoder.prototypes import Prototypes
from models.encoder.wordpiece import WordPiece
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import Example
from models.training.student.config import TrainingConfig
from models.training.student.distillation import (
    distilled_examples,
    title_examples,
    whole_words,
    word_examples,
)
from models.training.student.student import count_matrix
from models.training.student.trainer import train
from models.training.student.unlabeled import product_words, unlabeled_titles
from tests.support.labeled_shops import write_shops

TREE = Taxonomy(
    "tiny-1",
    {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",), 4: ("Food", "Milk")},
    {},
    {2: [("en", "Zzyzx"), ("zh", "球鞋")]},
)
INDEX = {node.name: node.index for node in TREE.nodes}
SCALE = Scale(student_weight=0.5, sharpness=20.0, word=0.05, alone=0.05, none=0.5)


def encode(texts: Sequence[str]) -> Floats:
    counts = np.array([[text.count(chr(97 + letter)) for letter in range(26)] for text in texts])
    return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), dtype=np.float32)


class Letters:
    """A backend whose token ids are letters."""

    def run(self, ids: np.ndarray, mask: np.ndarray) -> Floats:
        counts = np.array([[(row == 4 + letter).sum() for letter in range(26)] for row in ids])
        return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture
def letters(tmp_path: Path) -> EncoderStage:
    alphabet = [chr(97 + letter) for letter in range(26)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *alphabet, "klim", "zyzxz", "ab"]
    (tmp_path / "vocabulary.txt").write_text("".join(f"{token}\n" for token in tokens))
    words = WordPiece(tmp_path / "vocabulary.txt", 64)
    words.ids = lambda text: [4 + ord(letter) - 97 for letter in text if letter.isalpha()]  # type: ignore[method-assign]
    return EncoderStage(words, Letters(), Prototypes.from_taxonomy(TREE, encode), SCALE, "en", "letters1")


def test_each_category_s_name_and_path_and_each_english_synonym_is_a_prototype() -> None:
    prototypes = Prototypes.from_taxonomy(TREE, encode)
    assert np.bincount(prototypes.categories).tolist() == [
        2 if node.name == "Shoes" else 1 for node in TREE.nodes
    ]
    assert np.allclose(np.linalg.norm(prototypes.vectors, axis=1), 1.0, atol=1e-6)


def test_a_text_is_as_near_as_the_nearest_prototype() -> None:
    prototypes = Prototypes.from_taxonomy(TREE, encode)
    scores = prototypes.scores(encode(["xyzzz", "milk"]))
    assert scores.shape == (2, len(TREE))
    assert scores.argmax(axis=1).tolist() == [INDEX["Shoes"], INDEX["Milk"]]
    assert scores[0, INDEX["Shoes"]] == pytest.approx(1.0)


def test_the_student_learns_words_from_the_teacher_that_no_title_has(letters: EncoderStage) -> None:
    """The teacher labels two words that no title has. The student then predicts their categories."""
    assert whole_words(letters) == ["klim", "zyzxz"]
    distilled = word_examples(letters, whole_words(letters), 1.0)
    for example in distilled:
        assert sum(probability for _, probability in example.probabilities) == pytest.approx(1.0)
        assert not example.labeled
    titles = [Example("loaf", INDEX["Food"], "tiny", "train")]
    student = train(
        [*distilled, *titles], TREE, TrainingConfig(dimensions=8, epochs=60, batch=4, dropout=0.0)
    )
    logits = student.logits(count_matrix([["=klim"], ["=zyzxz"]], student.hashes))
    assert logits.argmax(axis=1).tolist() == [INDEX["Milk"], INDEX["Shoes"]]


def test_an_unlabeled_title_becomes_an_example_with_probabilities(letters: EncoderStage) -> None:
    (example,) = title_examples(letters, ["milk milk"], 0.5)
    assert (example.category, example.kind, example.weight) == (INDEX["Milk"], "title", 0.5)
    assert dict(example.probabilities)[INDEX["Milk"]] > 0.5
    assert not example.labeled


def write_annotated(data: Path) -> None:
    """Titles whose last two characters are annotated as the product."""
    (data / "ner").mkdir(exist_ok=True)
    titles = {
        "jd_gaiic2022": ("4", [f"{one}{two}茶壶" for one in "紫红青" for two in "大小圆"]),
        "taobao_train": ("HCCX", ["真皮男鞋", "男士usb"]),
        "taobao_dev": ("HCCX", ["陶瓷茶壶"]),
    }
    for name, (kind, each) in titles.items():
        with gzip.open(data / "ner" / f"{name}.bio.gz", "wt", encoding="utf-8") as lines:
            for title in each:
                tags = ["O"] * (len(title) - 2) + [f"B-{kind}", f"I-{kind}"]
                lines.writelines(f"{sign} {tag}\n" for sign, tag in zip(title, tags, strict=True))
                lines.write("\n")


def test_unlabeled_titles_are_no_near_duplicates_of_labeled_ones(tmp_path: Path) -> None:
    assert unlabeled_titles(tmp_path, []) == product_words(tmp_path) == []
    write_annotated(tmp_path)
    every = unlabeled_titles(tmp_path, [])
    assert len(every) == len(set(every)) == 12
    assert unlabeled_titles(tmp_path, ["220 紫大茶壶"]) == [text for text in every if text != "紫大茶壶"]


def test_product_words_are_chinese_and_distinct(tmp_path: Path) -> None:
    write_annotated(tmp_path)
    assert sorted(product_words(tmp_path)) == sorted(["茶壶", "男鞋"])


def test_words_and_chinese_titles_are_distilled_from_the_encoders(tmp_path: Path) -> None:
    write_shops(tmp_path)
    write_annotated(tmp_path)
    encoders = load_encoders()
    stage = encoders.stages["en"]
    stage.tokenizer.tokens, kept = ["teapot", "##pot", "ab"], stage.tokenizer.tokens
    distilled = distilled_examples(encoders, tmp_path, [], TrainingConfig())
    stage.tokenizer.tokens = kept
    assert {example.text for example in distilled if example.kind == "word"} == {"teapot", "茶壶", "男鞋"}
    chinese = [example for example in distilled if example.kind == "title"]
    assert chinese
    assert {example.language for example in chinese} == {"zh"}
