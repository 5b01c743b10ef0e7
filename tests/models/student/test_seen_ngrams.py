"""Coverage by seen n-grams, and the escalation policy."""

import numpy as np
import pytest

from models.student.escalation import EscalationPolicy
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


def test_unconfident_texts_escalate_unless_mostly_seen() -> None:
    tree = Taxonomy("tiny-1", {1: ("Wear",), 2: ("Food",)}, {})
    texts = ["samovar", "samovar", "ceramic mug", "🙂"]
    share = np.array([[0.6, 0.4], [0.99, 0.01], [0.6, 0.4], [0.5, 0.5]], dtype=np.float32)
    known = np.array([True, True, True, False])
    assert EscalationPolicy(SEEN, tree).should_escalate(texts, share, known).tolist() == [
        True,
        False,
        False,
        False,
    ]
