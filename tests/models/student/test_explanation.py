"""Explanations: pieces add up to the logits, and the word that names the product weighs most."""

import numpy as np
import pytest

from models.arrays import softmax
from models.student.artifact import Artifact
from models.student.classifier import StudentClassifier
from models.student.explanation import Explainer
from models.student.numpy_backend import NumpyBackend
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.text.features import Featurizer, pad

GOOGLE = Taxonomy.google()
ARTIFACT = Artifact.load(None, GOOGLE)
EXPLAINER = Explainer(ARTIFACT, GOOGLE)
BACKEND = NumpyBackend.load(ARTIFACT)
TITLES = [
    "Ceramic mug with a handle, 350 ml",
    "纯棉男士蓝色衬衫",
    "wireless mouse mouse mouse",
    "USB-C cable 2 m",
]


@pytest.mark.parametrize("title", TITLES)
def test_the_pieces_add_up_to_the_logits(title: str) -> None:
    first = EXPLAINER.explain(title)[0]
    rows = pad([Featurizer(ARTIFACT.tensor("hashes")).rows(clean(title))])
    logits = BACKEND.run(rows).logits
    share = softmax(logits.copy(), ARTIFACT.manifest.temperature)[0].astype(np.float64)
    inside = slice(first.category, int(GOOGLE.ends[first.category]))
    scores = (logits[0] - ARTIFACT.tensor("bias")) / ARTIFACT.manifest.temperature
    rest = share.copy()
    rest[inside] = 0.0
    wanted = share[inside] @ scores[inside] / share[inside].sum() - rest @ scores / rest.sum()
    assert sum(piece.weight for piece in first.pieces) == pytest.approx(wanted, abs=5e-3)
    assert first.probability == pytest.approx(share[inside].sum(), abs=1e-4)


@pytest.mark.parametrize("title", TITLES)
def test_the_last_step_is_on_the_path_of_the_likeliest_category(title: str) -> None:
    (found,) = StudentClassifier(ARTIFACT, BACKEND, GOOGLE, threshold=0.0).classify([clean(title)])
    steps = EXPLAINER.explain(title)
    assert [step.category for step in steps] == GOOGLE.ancestors(found.category)[: len(steps)]
    assert [step.probability for step in steps] == sorted((step.probability for step in steps), reverse=True)


def test_the_word_that_names_the_product_has_the_greatest_weight() -> None:
    for step in EXPLAINER.explain("Large ceramic mug")[:3]:
        assert step.pieces[0].text == "mug"
    assert "茶壶" in EXPLAINER.explain("大号茶壶")[-1].names


@pytest.mark.parametrize("title", ["", "🙂", "<b></b>", "\x00"])
def test_a_title_without_known_words_has_no_explanation(title: str) -> None:
    assert EXPLAINER.explain(title) == []
