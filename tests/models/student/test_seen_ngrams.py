"""Coverage by seen n-grams, and the escalation policy."""

import numpy as np
import pytest

from models.student.escalation import (
    MOSTLY_SEEN,
    PARTLY_SEEN,
    Escalation,
    EscalationPolicy,
    escalation_of,
)
from models.student.seen_ngrams import SeenNgrams, seen_ngram_hashes
from models.taxonomy.tree import Taxonomy

TITLES = ["blue ceramic mug", "red ceramic mug", "green ceramic mugs", "blue shirt", "blue shoe", "tin"]
SEEN = SeenNgrams(seen_ngram_hashes(TITLES))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("ceramic mug", 1.0),  # both words; the pair, and `mug` at the end
        ("ceramic mugs 3", 0.5 * (2 / 2 + 1 / 3)),  # numbers are no words, but stand in pairs
        ("blue samovar", 0.5 * (1 / 2 + 0 / 2)),
        ("samovar", 0.0),
        ("tin", 0.0),  # once is not often
        ("茶壶", 0.0),
        ("123", 0.0),
        ("", 0.0),
    ],
)
def test_coverage_is_the_mean_share_of_seen_words_and_pairs(text: str, share: float) -> None:
    assert SEEN.coverage(text) == pytest.approx(share)


def test_coverage_is_zero_without_training_titles() -> None:
    assert SeenNgrams(seen_ngram_hashes([])).coverage("ceramic mug") == 0.0


@pytest.mark.parametrize(
    ("title", "coverage", "when"),
    [
        ("blue ceramic mug", MOSTLY_SEEN, Escalation.NEVER),
        ("blue ceramic mug", PARTLY_SEEN, Escalation.IF_UNSURE),
        ("hotpoint dishwasher sdl510p", 0.49, Escalation.ALWAYS),
        ("a" * 10_000, 0.0, Escalation.ALWAYS),
        ("ceramic mug", 1.0, Escalation.ALWAYS),  # two words are too few to be sure of
        ("陶瓷茶壶", 0.0, Escalation.IF_UNSURE),  # Chinese has no coverage
    ],
)
def test_the_student_is_not_sure_alone_without_seen_ngrams(
    title: str, coverage: float, when: Escalation
) -> None:
    assert escalation_of(title, coverage) is when


def test_unconfident_and_unseen_texts_escalate() -> None:
    tree = Taxonomy("tiny-1", {1: ("Wear",), 2: ("Food",)}, {})
    sure, unsure = (0.99, 0.01), (0.6, 0.4)
    cases = [
        ("blue mug ceramic mug", unsure, True, False),  # mostly seen
        ("blue samovar ceramic mug", sure, True, False),  # partly seen
        ("blue samovar ceramic mug", unsure, True, True),
        ("silver samovar here", sure, True, True),
        ("🙂", unsure, False, False),
        ("blue mug ceramic mug\na mug", sure, True, True),  # with a description
    ]
    texts = [text for text, *_ in cases]
    probabilities = np.array([each for _, each, *_ in cases], dtype=np.float32)
    known = np.array([each for _, _, each, _ in cases])
    expected = [each for *_, each in cases]
    assert EscalationPolicy(SEEN, tree).should_escalate(texts, probabilities, known).tolist() == expected
