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


def settle(
    share: Floats,
    texts: Sequence[str],
    known: Sequence[bool],
    taxonomy: Taxonomy,
    second: SecondStage,
    doubt: float = DOUBT,
) -> None:
    """Let the second stage judge, in place, the texts that the student doubts.

    Args:
        share: Shape [texts, categories]: the student's probabilities.
        texts: The cleaned texts.
        known: Whether the student knows anything of the text; one of which it knows nothing stays as it is.
        taxonomy: The tree.
        second: Who is asked.
        doubt: The probability of the likeliest department from which nobody is asked.
    """
    # The departments' subtrees tile the columns.
    likeliest = np.add.reduceat(share, taxonomy.roots, axis=1).max(axis=1)
    doubted = np.flatnonzero(np.asarray(known, dtype=bool) & (likeliest < doubt))
    if len(doubted):
        share[doubted] = second.join([texts[text] for text in doubted.tolist()], share[doubted])
