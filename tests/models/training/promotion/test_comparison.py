"""Comparison of trained models as they are served, on held-out titles, in the protected slices."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.arrays import Floats, softmax
from models.student import escalation
from models.student.artifact import Artifact
from models.student.classifier import StudentClassifier
from models.student.numpy_backend import NumpyBackend
from models.text.features import Featurizer, pad
from models.training.data.corpus import Example, read_shops
from models.training.promotion.comparison import (
    compare,
    protected_slices,
    score,
    shop_masks,
    shops_split_differently,
)
from models.training.promotion.gate import GateConfig
from models.training.run.training_run import TrainingSettings, train_model
from models.training.student.config import TrainingConfig
from tests.support.tiny_shops import TREE, write_shops

QUICK = GateConfig(resamples=500)


def trained(folder: Path) -> Artifact:
    config = TrainingConfig(dimensions=8, epochs=8, batch=32)
    train_model(folder, folder / "student", TrainingSettings(config=config, taxonomy=TREE))
    return Artifact.load(folder / "student", TREE)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_shops(folder)
    return folder


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Trained on labels that call tea milk."""
    folder = tmp_path_factory.mktemp("wrong")
    write_shops(folder, {"Shoes": 2, "Shirts": 3, "Milk": 5, "Tea": 5})
    return trained(folder)


@pytest.fixture(scope="module")
def good(data: Path) -> Artifact:
    return trained(data)


@pytest.fixture(scope="module")
def titles(data: Path) -> list[Example]:
    examples = read_shops(data, TREE)
    return [each for each in examples if each.split == "test" and each.kind == "title"]


@pytest.mark.parametrize("name", ["poor", "good"])
def test_scores_are_those_of_the_model_as_it_is_served(
    name: str, titles: list[Example], request: pytest.FixtureRequest
) -> None:
    artifact: Artifact = request.getfixturevalue(name)
    right, not_wrong = score(artifact, titles, TREE)
    backend = NumpyBackend.load(artifact)
    featurizer = Featurizer(artifact.tensor("hashes"))
    served = StudentClassifier(artifact, backend, TREE).classify([title.text for title in titles])
    for number, (title, result) in enumerate(zip(titles, served, strict=True)):
        logits = backend.run(pad([featurizer.rows(title.text)])).logits
        probabilities = softmax(logits, artifact.manifest.temperature)[0]
        path = TREE.ancestors(title.category)
        hits = []
        for level, wanted in enumerate(path, 1):
            nodes = np.flatnonzero(TREE.levels == level)
            masses = [probabilities[node : TREE.ends[node]].sum() for node in nodes]
            hits.append(nodes[int(np.argmax(masses))] == wanted)
        assert right[number] == pytest.approx(np.mean(hits))
        fits = result.category in path or title.category in TREE.ancestors(result.category)
        assert not_wrong[number] == float(not result.sure or fits)


class Oracle:
    """A second stage that predicts tea for every text."""

    version = "oracle"

    def combine(self, texts: Sequence[str], share: Floats) -> Floats:
        tea = next(node.index for node in TREE.nodes if node.name == "Tea")
        return np.eye(len(TREE), dtype=np.float32)[[tea] * len(texts)]


def test_a_second_stage_classifies_what_the_student_is_unsure_of(
    titles: list[Example], poor: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    # These titles have few distinct words, so all of their n-grams are seen.
    monkeypatch.setattr(escalation, "MOSTLY_SEEN", 1.01)
    tea = np.array([TREE.nodes[title.category].name == "Tea" for title in titles])
    alone, _ = score(poor, titles, TREE)
    unsure = Artifact(poor.path, msgspec.structs.replace(poor.manifest, temperature=50.0))
    joint, _ = score(unsure, titles, TREE, Oracle())
    assert (alone[tea] < 1.0).all()
    assert (joint[tea] == 1.0).all()
    assert (joint[~tea] < 1.0).all()


def test_a_better_model_passes_and_not_the_other_way_round(
    data: Path, poor: Artifact, good: Artifact
) -> None:
    examples = read_shops(data, TREE)
    steps: list[tuple[str, int, int]] = []
    upwards = compare(good, poor, examples, TREE, QUICK, lambda *step: steps.append(step))
    assert (upwards.promote, steps[-1][1:]) == (True, (2, 2))
    assert not compare(poor, good, examples, TREE, QUICK).promote
    assert not compare(good, good, examples, TREE, QUICK).promote


def test_shops_with_other_titles_or_another_split_are_found(data: Path, good: Artifact) -> None:
    examples = read_shops(data, TREE)
    feedback = [Example("tea", 0, "feedback", "train")]
    assert shops_split_differently(good, [*examples, *feedback]) == []
    moved = [replace(each, split="test") if each.shop == "openbg" else each for each in examples]
    assert shops_split_differently(good, moved) == ["openbg"]
    assert shops_split_differently(good, [*examples, Example("tea", 0, "another", "train")]) == ["another"]


def test_shops_languages_short_titles_and_feedback_are_protected() -> None:
    examples = [
        Example("red shoe", 0, "flipkart", "test"),
        Example("a long title of many words", 0, "flipkart", "test"),
        Example("tea", 0, "feedback", "test"),
        Example("鞋子", 0, "openbg", "test", "zh"),
        Example("很长很长很长很长的鞋子", 0, "openbg", "test", "zh"),
    ]
    masks = {name: mask.tolist() for name, mask in protected_slices(examples).items()}
    assert masks == {
        "shop flipkart": [True, True, False, False, False],
        "feedback": [False, False, True, False, False],
        "shop openbg": [False, False, False, True, True],
        "language en": [True, True, True, False, False],
        "language zh": [False, False, False, True, True],
        "short titles": [True, False, True, True, False],
    }
    assert list(shop_masks(examples)) == ["flipkart", "feedback", "openbg"]
