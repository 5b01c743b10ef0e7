"""From scores of labels at each character to spans: probabilities along the chain, then the best sequence.

Label 0 is outside; 2k + 1 begins a span of kind k, 2k + 2 continues one and may follow only these two.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class Span(NamedTuple):
    """Characters [start, end) are a phrase of a kind; `score` says how sure that is, in [0, 1]."""

    kind: str
    start: int
    end: int
    score: float


def allowed(labels: int) -> npt.NDArray[np.bool_]:
    """Which label may follow which, shape [labels, labels]."""
    follows = np.ones((labels, labels), dtype=np.bool_)
    for label in range(2, labels, 2):
        follows[:, label] = False
        follows[[label - 1, label], label] = True
    return follows


def marginals(scores: Scores, lengths: npt.NDArray[np.int64], transitions: Scores) -> Scores:
    """The probability of each label at each character, over all allowed sequences.

    The forward-backward algorithm: L. Rabiner, 1989, "A tutorial on hidden Markov models".

    Args:
        scores: Shape [texts, longest, labels]; what lies beyond a text's length does not count.
        lengths: Shape [texts], each at least 1.
        transitions: Shape [labels, labels], from one label to the next; forbidden ones do not count.

    Returns:
        Shape [texts, longest, labels].
    """
    texts, longest, labels = scores.shape
    chances = np.where(allowed(labels), np.exp(transitions), 0.0).astype(np.float32)
    emitted = np.exp(scores - scores.max(axis=2, keepdims=True))
    # A span cannot go on where nothing began.
    emitted[:, 0, 2::2] = 0.0
    forward = np.empty_like(emitted)
    forward[:, 0] = emitted[:, 0]
    for place in range(1, longest):
        reached = (forward[:, place - 1] @ chances) * emitted[:, place]
        forward[:, place] = reached / reached.sum(axis=1, keepdims=True)
    behind = np.ones((texts, labels), dtype=np.float32)
    inside = np.arange(longest)[None, :] < lengths[:, None]
    for place in range(longest - 2, -1, -1):
        reached = (behind * emitted[:, place + 1]) @ chances.T
        reached /= reached.max(axis=1, keepdims=True)
        behind = np.where(inside[:, place + 1, None], reached, 1.0).astype(np.float32)
        forward[:, place] *= behind
    total: Scores = forward / forward.sum(axis=2, keepdims=True)
    return total


def decode(scores: Scores, lengths: npt.NDArray[np.int64]) -> Labels:
    """The allowed labels of each text with the greatest sum of scores.

    Where the best label of each character makes an allowed sequence, that is it; else the Viterbi algorithm:
    A. Viterbi, 1967, "Error bounds for convolutional codes".

    Args:
        scores: Shape [texts, longest, labels], such as log probabilities.
        lengths: Shape [texts], each at least 1; what lies beyond does not count.

    Returns:
        Shape [texts, longest].
    """
    labels: Labels = scores.argmax(axis=2)
    previous = np.pad(labels[:, :-1], ((0, 0), (1, 0)))
    continues = (labels > 0) & (labels % 2 == 0) & (np.arange(labels.shape[1]) < lengths[:, None])
    broken = (continues & (previous != labels) & (previous != labels - 1)).any(axis=1)
    if broken.any():
        labels[broken] = _viterbi(scores[broken], lengths[broken])
    return labels


def spans_of(labels: Labels, probabilities: Scores, kinds: Sequence[str]) -> list[Span]:
    """The spans of an allowed sequence of labels, each with the least of its characters' probabilities.

    Args:
        labels: Shape [characters].
        probabilities: Shape [characters]: of each character's label.
        kinds: Names of the kinds.
    """
    spans: list[Span] = []
    values, chances = labels.tolist(), probabilities.tolist()
    for start in np.flatnonzero(labels % 2 == 1).tolist():
        label, end = values[start], start + 1
        while end < len(values) and values[end] == label + 1:
            end += 1
        spans.append(Span(kinds[label // 2], start, end, min(chances[start:end])))
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
        leader = before.argmax(axis=1, keepdims=True)
        back[:, place] = leader
        best[:, place] = np.take_along_axis(before, leader, axis=1)
        # A span goes on from its beginning or from within, whichever is better.
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
