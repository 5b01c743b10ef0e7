"""Marginal probabilities and best sequences equal those from enumerating all sequences."""

from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.attributes.span_decoding import Scores, allowed, decode, marginals, spans_of

KINDS = ("brand", "colour")
LABELS = 1 + 2 * len(KINDS)
NUMBERS = st.floats(-8, 8, width=32)


def scores_of(longest: int) -> st.SearchStrategy[Scores]:
    return st.integers(1, longest).flatmap(
        lambda length: arrays.arrays(np.float32, (length, LABELS), elements=NUMBERS)
    )


def sequences(length: int) -> list[tuple[int, ...]]:
    """Return all allowed label sequences: a continuation follows its beginning or itself."""
    return [
        labels
        for labels in product(range(LABELS), repeat=length)
        if all(
            label % 2 or not label or before in (label - 1, label)
            for before, label in zip((0, *labels), labels, strict=False)
        )
    ]


def test_a_continuation_follows_only_its_own() -> None:
    follows = allowed(LABELS)
    assert [np.flatnonzero(follows[:, label]).tolist() for label in (2, 4)] == [[1, 2], [3, 4]]
    assert follows[:, [0, 1, 3]].all()


def stacked(texts: list[Scores]) -> tuple[Scores, npt.NDArray[np.int64]]:
    lengths = np.array([len(each) for each in texts])
    scores = np.zeros((len(texts), int(lengths.max()), LABELS), dtype=np.float32)
    for number, each in enumerate(texts):
        scores[number, : len(each)] = each
    return scores, lengths


@given(st.lists(scores_of(5), min_size=1, max_size=3))
def test_the_decoded_sequence_has_the_greatest_score(texts: list[Scores]) -> None:
    """Texts of several lengths are decoded at once."""
    for scores, row in zip(texts, decode(*stacked(texts)), strict=True):
        labels = tuple(row[: len(scores)].tolist())
        totals = {
            each: sum(float(scores[i, label]) for i, label in enumerate(each))
            for each in sequences(len(scores))
        }
        assert labels in totals
        assert totals[labels] >= max(totals.values()) - 1e-4


@given(
    st.lists(scores_of(4), min_size=1, max_size=3),
    arrays.arrays(np.float32, (LABELS, LABELS), elements=st.floats(-3, 3, width=32)),
)
def test_probabilities_are_marginals_over_all_sequences(texts: list[Scores], transitions: Scores) -> None:
    """Texts of several lengths are decoded at once."""
    found = marginals(*stacked(texts), transitions)
    for number, scores in enumerate(texts):
        expected = np.zeros(scores.shape)
        for labels in sequences(len(scores)):
            value = sum(float(scores[i, label]) for i, label in enumerate(labels))
            value += sum(float(transitions[a, b]) for a, b in pairwise(labels))
            expected[np.arange(len(labels)), labels] += np.exp(value)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found[number, : len(scores)], expected, atol=2e-4)


def test_spans_have_bounds_kind_and_minimum_probability() -> None:
    labels = np.array([1, 2, 2, 3, 1, 0, 3, 4])
    probabilities = np.array([0.9, 0.5, 0.75, 1.0, 0.25, 1.0, 0.5, 0.75], dtype=np.float32)
    assert spans_of(labels, probabilities, KINDS) == [
        ("brand", 0, 3, 0.5),
        ("colour", 3, 4, 1.0),
        ("brand", 4, 5, 0.25),
        ("colour", 6, 8, 0.5),
    ]
