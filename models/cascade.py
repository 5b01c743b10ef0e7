"""When a second stage is asked: where the student has a doubt about even the likeliest department."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.taxonomy import Taxonomy

Floats = npt.NDArray[np.float32]

DOUBT = 0.95
"""Below this probability of the likeliest department, a text goes on to the second stage: few titles of known
shops do, most of others."""


class SecondStage(Protocol):
    """Judges what the student doubts. Thread-safe."""

    version: str

    def join(self, texts: Sequence[str], share: Floats) -> Floats:
        """Probabilities of the shape of `share`, which are the student's, in the light of both."""
        ...


def doubted(
    share: Floats, known: npt.NDArray[np.bool_], taxonomy: Taxonomy, doubt: float = DOUBT
) -> npt.NDArray[np.bool_]:
    """Whether the second stage is to judge each text.

    Args:
        share: Shape [texts, categories]: the student's probabilities.
        known: Shape [texts]: whether the student knows anything of the text; nobody is asked about others.
        taxonomy: The tree.
        doubt: The probability of the likeliest department from which nobody is asked.
    """
    # The departments' subtrees tile the columns.
    likeliest: Floats = np.add.reduceat(share, taxonomy.roots, axis=1).max(axis=1)
    asked: npt.NDArray[np.bool_] = known & (likeliest < doubt)
    return asked
