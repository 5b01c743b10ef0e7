"""Array types that all models share, and the softmax.

The aliases name the element type only: a docstring gives the shape where it matters.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

BLOCK = 8
"""Rows of a matrix product are padded to a multiple of it. OpenBLAS and onnxruntime compute what is beyond
whole blocks, of 2 and 4 rows on the processors that were tried, by kernels that round in another order."""


def softmax(logits: Floats, temperature: float = 1.0, out: Floats | None = None) -> Floats:
    """The softmax of `logits / temperature`.

    Args:
        logits: Shape [texts, categories].
        temperature: Above 0. Higher values flatten the distribution.
        out: An array of the same shape for the result; `logits` itself is allowed. None allocates one.

    Returns:
        Probabilities, shape [texts, categories]; each row sums to 1.
    """
    probabilities: Floats = np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    probabilities *= np.float32(1.0 / temperature)
    np.exp(probabilities, out=probabilities)
    probabilities *= 1.0 / probabilities.sum(axis=1, keepdims=True)
    return probabilities
