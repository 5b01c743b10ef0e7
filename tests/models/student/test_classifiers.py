"""The contract of each classifier: the student alone, the cascade, and zero-shot."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.encoder.loading import load_second_stage
from models.student.artifact import Artifact
from models.student.classifier import CANDIDATES, Classification, Classifier, StudentClassifier
from models.student.numpy_backend import NumpyBackend
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.zero_shot.classifier import ZeroShotClassifier

GOOGLE = Taxonomy.google()
OWN = Taxonomy(
    "own-1",
    {1: ("Kitchen",), 2: ("Kitchen", "Mugs"), 3: ("Clothing",), 4: ("Clothing", "Shirts")},
    {2: "杯子", 4: "衬衫"},
    {2: [("en", "coffee cup")]},
)
TEXTS = [
    "ceramic mug", "blue cotton shirt", "", "🙂", "纯棉男士蓝色衬衫", "zzqx vvkj", "mug " * 400, "12 34", "x",
]  # fmt: skip


@dataclass(frozen=True)
class Contestant:
    """A classifier with its tree."""

    classifier: Classifier
    taxonomy: Taxonomy


def student(*, cascade: bool, onnx: bool) -> Contestant:
    artifact = Artifact.load(None, GOOGLE)
    backend = OnnxBackend(artifact) if onnx else NumpyBackend.load(artifact)
    second = load_second_stage(GOOGLE) if cascade else None
    return Contestant(StudentClassifier(artifact, backend, GOOGLE, second=second), GOOGLE)


MAKERS: dict[str, Callable[[], Contestant]] = {
    "student": lambda: student(cascade=False, onnx=True),
    "student, numpy": lambda: student(cascade=False, onnx=False),
    "cascade": lambda: student(cascade=True, onnx=True),
    "zero-shot": lambda: Contestant(ZeroShotClassifier.load(OWN), OWN),
}


@pytest.fixture(scope="module", params=MAKERS)
def contestant(request: pytest.FixtureRequest) -> Contestant:
    return MAKERS[request.param]()


def assert_sound(found: Classification, contestant: Contestant) -> None:
    """Check that numbers are in their ranges and candidates in order, or that nothing is known."""
    assert found.embedding.shape == (contestant.classifier.dimensions,)
    assert found.embedding.dtype == np.int8
    if found.category < 0:
        assert (found.category, found.confidence, found.sure, found.candidates) == (-1, 0.0, False, ())
        assert not found.embedding.any()
        return
    assert 0 <= found.category < len(contestant.taxonomy)
    assert 0.0 <= found.confidence <= 1.0
    masses = [mass for _, mass in found.candidates]
    assert masses == sorted(masses, reverse=True)
    assert all(0.0 <= mass <= 1.0 for mass in masses)
    assert len({category for category, _ in found.candidates}) == len(masses)
    assert len(masses) == min(CANDIDATES, len(contestant.taxonomy))
    assert all(0 <= category < len(contestant.taxonomy) for category, _ in found.candidates)
    if not found.sure:
        assert contestant.taxonomy.nodes[found.category].parent == -1


def assert_alike(one: Classification, other: Classification) -> None:
    assert (one.category, one.sure) == (other.category, other.sure)
    assert one.confidence == pytest.approx(other.confidence, abs=2e-4)
    # Candidates that are equally likely may change places.
    masses = [[mass for _, mass in found.candidates] for found in (one, other)]
    assert masses[0] == pytest.approx(masses[1], abs=2e-4)
    assert np.abs(one.embedding.astype(int) - other.embedding.astype(int)).max() <= 1


def test_classifications_are_valid_and_in_order(contestant: Contestant) -> None:
    found = contestant.classifier.classify(TEXTS)
    assert len(found) == len(TEXTS)
    for each in found:
        assert_sound(each, contestant)
    assert [found[number].category for number in (2, 3)] == [-1, -1]
    names = [contestant.taxonomy.nodes[each.candidates[0][0]].name for each in (found[0], found[1])]
    assert names[0] == "Mugs"
    assert "Shirts" in names[1]
    assert contestant.classifier.classify([]) == []


def test_the_batch_does_not_change_a_classification(contestant: Contestant) -> None:
    many = [*TEXTS, *(f"{text} {number}" for number in range(30) for text in TEXTS)]
    together = contestant.classifier.classify(many)
    for text, found in zip(TEXTS, together, strict=False):
        (alone,) = contestant.classifier.classify([text])
        assert_alike(found, alone)


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=()), max_size=80), max_size=4))
def test_any_text_has_a_valid_and_repeatable_classification(
    contestant: Contestant, titles: list[str]
) -> None:
    texts = [clean(title) for title in titles]
    found = contestant.classifier.classify(texts)
    for number, each in enumerate(found):
        assert_sound(each, contestant)
        assert_alike(each, contestant.classifier.classify([texts[number]])[0])


def test_the_version_and_dimensions_are_set(contestant: Contestant) -> None:
    assert contestant.classifier.model_version
    assert contestant.classifier.dimensions > 0


def test_threads_share_a_classifier(contestant: Contestant) -> None:
    expected = contestant.classifier.classify(TEXTS)
    wrong: list[str] = []

    def work() -> None:
        for _ in range(2):
            found = contestant.classifier.classify(TEXTS)
            wrong.extend(
                text
                for text, one, other in zip(TEXTS, found, expected, strict=True)
                if one.category != other.category
            )

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
