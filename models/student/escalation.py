"""When a second stage is asked: where the student has a doubt about even the likeliest department."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import parts

DOUBT = 0.95
"""Below this probability of the likeliest department, a text goes on to the second stage: few titles of known
shops do, most of others."""
FAMILIAR = 0.65
"""From this familiarity on, it does not all the same: of the doubted titles of a known shop half have it, of
those of unknown ones about a tenth."""


class SecondStage(Protocol):
    """Judges what the student doubts. Thread-safe."""

    version: str

    def join(self, texts: Sequence[str], share: Floats) -> Floats:
        """Probabilities of the shape of `share`, which are the student's, in the light of both."""
        ...


class EscalationPolicy:
    """Which texts go on to the second stage. Thread-safe.

    Those of which the student is sure do not, nor those that are mostly made of what labelled titles say:
    there shops have habits that no reading teaches, and the student is the better judge.

    Args:
        familiarity: To the student.
        taxonomy: The tree.
    """

    def __init__(self, familiarity: SeenNgrams, taxonomy: Taxonomy) -> None:
        self._familiarity, self._taxonomy = familiarity, taxonomy

    def about(
        self, texts: Sequence[str], share: Floats, known: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Whether the second stage is to judge each text; always one with a description, which it reads too.

        Args:
            texts: Cleaned.
            share: Shape [texts, categories]: the student's probabilities.
            known: Shape [texts]: whether the student knows anything of the text; of others nobody is asked.
        """
        # The departments' subtrees tile the columns.
        likeliest: Floats = np.add.reduceat(share, self._taxonomy.roots, axis=1).max(axis=1)
        asked: npt.NDArray[np.bool_] = known & (likeliest < DOUBT)
        for number, text in enumerate(texts):
            title, description = parts(text)
            if description:
                asked[number] = True
            elif asked[number]:
                asked[number] = self._familiarity.of(title) < FAMILIAR
        return asked
