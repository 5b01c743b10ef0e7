"""The student's loss: negative log-likelihood of a label's subtree, or cross-entropy with soft labels."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.arrays import Floats
from models.training.data.corpus import Example


def probability_matrix(examples: Sequence[Example], categories: int) -> csr_matrix:
    """The soft labels of examples as a sparse matrix, shape [examples, categories].

    The rows of examples with a hard label are empty.
    """
    starts = np.cumsum([0, *(len(example.probabilities) for example in examples)])
    pairs = [pair for example in examples for pair in example.probabilities]
    columns = np.array([column for column, _ in pairs], dtype=np.int64)
    values = np.array([value for _, value in pairs], dtype=np.float32)
    return csr_matrix((values, columns, starts), shape=(len(examples), categories))


def subtree_loss(
    logits: Floats,
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
    probabilities: csr_matrix | None = None,
) -> tuple[Floats, Floats]:
    """Compute each text's loss and its gradient with respect to the logits.

    The loss of a hard label is the negative log of the probability of its subtree `[first, last)`. The loss
    of a soft label is the cross-entropy with it (distillation: Hinton et al., 2015).

    Args:
        logits: Logits, shape [texts, categories].
        first: Index of each text's label, shape [texts].
        last: One past the last index of the label's subtree, shape [texts].
        probabilities: Soft labels, shape [texts, categories]. A non-empty row replaces the hard label.

    Returns:
        Losses, shape [texts], and gradients, shape [texts, categories]. A gradient is the softmax minus the
        softmax restricted to the subtree, or minus the soft label.
    """
    gradient = np.exp(logits - logits.max(axis=1, keepdims=True))
    gradient /= gradient.sum(axis=1, keepdims=True)
    losses = np.empty(len(logits), dtype=np.float32)
    for text, (start, end) in enumerate(zip(first, last, strict=True)):
        row = slice(*probabilities.indptr[text : text + 2]) if probabilities is not None else slice(0)
        if probabilities is not None and row.start < row.stop:
            columns, values = probabilities.indices[row], probabilities.data[row]
            losses[text] = -(values * np.log(np.maximum(gradient[text, columns], 1e-12))).sum()
            gradient[text, columns] -= values
            continue
        inside = gradient[text, start:end]
        mass = max(float(inside.sum()), 1e-12)
        losses[text] = -np.log(mass)
        inside *= 1.0 - 1.0 / mass
    return losses, gradient
