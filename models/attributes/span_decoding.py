"""Decodes label scores of a linear-chain CRF to spans: marginal probabilities, then the best label sequence.

Label 0 is outside of spans. Label 2k + 1 begins a span of kind k. Label 2k + 2 continues one, and may follow
only labels 2k + 1 and 2k + 2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class Span(NamedTuple):
    """A phrase of a kind at characters [start, end); `score` is its confidence in [0, 1]."""

    kind: str
    start: int
    end: int
    score: float


def allowed(labels: int) -> npt.NDArray[np.bool_]:
    """Return which label (column) may follow which (row).

    Args:
        labels: The number of labels.

    Returns:
        bool, shape [labels, labels].
    """
    follows = np.ones((labels, labels), dtype=np.bool_)
    for label in range(2, labels, 2):
        follows[:, label] = False
        follows[[label - 1, label], label] = True
    return follows


def marginals(scores: Scores, lengths: npt.NDArray[np.int64], transitions: Scores) -> Scores:
    """Compute the probability of each label at each character, over all allowed sequences.

    This is the forward-backward algorithm: L. Rabiner, "A tutorial on hidden Markov models and selected
    applications in speech recognition", Proceedings of the IEEE 77, 1989.

    Args:
        scores: Label scores, shape [texts, longest, labels]. Positions beyond a text's length are ignored.
        lengths: Lengths in characters, each at least 1, shape [texts].
        transitions: Scores from one label to the next, shape [labels, labels]. Forbidden ones are ignored.

    Returns:
        Probabilities, shape [texts, longest, labels].
    """
    texts, longest, labels = scores.shape
    weights = np.where(allowed(labels), np.exp(transitions), 0.0).astype(np.float32)
    emitted = np.exp(scores - scores.max(axis=2, keepdims=True))
    # The first character cannot continue a span.
    emitted[:, 0, 2::2] = 0.0
    forward = np.empty_like(emitted)
    forward[:, 0] = emitted[:, 0]
    for place in range(1, longest):
        reached = (forward[:, place - 1] @ weights) * emitted[:, place]
        forward[:, place] = reached / reached.sum(axis=1, keepdims=True)
    backward = np.ones((texts, labels), dtype=np.float32)
    inside = np.arange(longest)[None, :] < lengths[:, None]
    for place in range(longest - 2, -1, -1):
        reached = (backward * emitted[:, place + 1]) @ weights.T
        reached /= reached.max(axis=1, keepdims=True)
        backward = np.where(inside[:, place + 1, None], reached, 1.0).astype(np.float32)
        forward[:, place] *= backward
    total: Scores = forward / forward.sum(axis=2, keepdims=True)
    return total


def decode(scores: Scores, lengths: npt.NDArray[np.int64]) -> Labels:
    """Find the allowed label sequence of each text with the greatest sum of scores.

    If the best labels of all characters form an allowed sequence, this is the result. Otherwise it is found
    by the Viterbi algorithm: A. Viterbi, "Error bounds for convolutional codes and an asymptotically optimum
    decoding algorithm", IEEE Transactions on Information Theory 13, 1967.

    Args:
        scores: Label scores, such as log probabilities, shape [texts, longest, labels].
        lengths: Lengths in characters, each at least 1, shape [texts]. Positions beyond are ignored.

    Returns:
        Labels, shape [texts, longest].
    """
    labels: Labels = scores.argmax(axis=2)
    previous = np.pad(labels[:, :-1], ((0, 0), (1, 0)))
    continues = (labels > 0) & (labels % 2 == 0) & (np.arange(labels.shape[1]) < lengths[:, None])
    broken = (continues & (previous != labels) & (previous != labels - 1)).any(axis=1)
    if broken.any():
        labels[broken] = _viterbi(scores[broken], lengths[broken])
    return labels


def spans_of(labels: Labels, probabilities: Scores, kinds: Sequence[str]) -> list[Span]:
    """Convert an allowed label sequence to spans.

    Args:
        labels: Labels, shape [characters].
        probabilities: The probability of each character's label, shape [characters].
        kinds: Names of the kinds.

    Returns:
        Spans in order. A span's score is the minimum probability of its characters.
    """
    spans: list[Span] = []
    values, scores = labels.tolist(), probabilities.tolist()
    for start in np.flatnonzero(labels % 2 == 1).tolist():
        label, end = values[start], start + 1
        while end < len(values) and values[end] == label + 1:
            end += 1
        spans.append(Span(kinds[label // 2], start, end, min(scores[start:end])))
    return spans


def _viterbi(scores: Scores, lengths: npt.NDArray[np.int64]) -> Labels:
    texts, longest, width = scores.shape
    back = np.zeros((texts, longest, width), dtype=np.int64)
    best = np.empty_like(scores)
    best[:, 0] = scores[:, 0]
    best[:, 0, 2::2] = -np.inf
    continuing = np.arange(2, width, 2)
    for place in range(1, longest):
        before = best[:, place - 1]
        best_before = before.argmax(axis=1, keepdims=True)
        back[:, place] = best_before
        best[:, place] = np.take_along_axis(before, best_before, axis=1)
        # A continuation follows the beginning or a continuation of its kind, whichever scores higher.
        begun = before[:, 1::2] >= before[:, 2::2]
        back[:, place, 2::2] = continuing - begun
        best[:, place, 2::2] = np.where(begun, before[:, 1::2], before[:, 2::2])
        best[:, place] += scores[:, place]
    labels = np.zeros((texts, longest), dtype=np.int64)
    numbers = np.arange(texts)
    labels[numbers, lengths - 1] = best[numbers, lengths - 1].argmax(axis=1)
    for place in range(longest - 1, 0, -1):
        inside = np.flatnonzero(lengths > place)
        labels[inside, place - 1] = back[inside, place, labels[inside, place]]
    return labels
