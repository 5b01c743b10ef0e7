"""Escalation: which texts the student passes on to the second stage."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from models.arrays import Booleans, Floats
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import split_description

CONFIDENT = 0.95
"""From this probability of the likeliest department on, a text does not escalate. Few titles of the training
shops are below it, and most titles of other shops are."""
MOSTLY_SEEN = 0.65
"""From this coverage by seen n-grams on, a title does not escalate. Of the titles below `CONFIDENT`, half of
those of the training shops reach it, and about a tenth of those of other shops."""


class SecondStage(Protocol):
    """Classifies the texts that the student is unsure of. Thread-safe.

    Attributes:
        version: Identifies the stage in model versions.
    """

    version: str

    def combine(self, texts: Sequence[str], probabilities: Floats) -> Floats:
        """Combine the student's probabilities with the stage's own.

        Args:
            texts: Cleaned texts.
            probabilities: The student's probabilities, shape [texts, categories].

        Returns:
            Joint probabilities, shape [texts, categories].
        """
        ...


class EscalationPolicy:
    """Decides which texts go on to the second stage. Thread-safe.

    A text escalates if it has a description, or if the student is not confident of its department and its
    title has few n-grams of the training titles. On titles with mostly seen n-grams the student is the better
    classifier, because it knows how the training shops assign categories.

    Args:
        seen: The n-grams of the student's training titles.
        taxonomy: The category tree.
    """

    def __init__(self, seen: SeenNgrams, taxonomy: Taxonomy) -> None:
        self._seen, self._taxonomy = seen, taxonomy

    def should_escalate(self, texts: Sequence[str], probabilities: Floats, known: Booleans) -> Booleans:
        """Whether the second stage should classify each text.

        Args:
            texts: Cleaned texts.
            probabilities: The student's probabilities, shape [texts, categories].
            known: Whether a title has features of the student's vocabulary, shape [texts]. Without them, only
                a text with a description escalates.

        Returns:
            One boolean per text, shape [texts].
        """
        # The departments' subtrees tile the columns.
        likeliest: Floats = np.add.reduceat(probabilities, self._taxonomy.roots, axis=1).max(axis=1)
        escalates: Booleans = known & (likeliest < CONFIDENT)
        for number, text in enumerate(texts):
            title, description = split_description(text)
            if description:
                escalates[number] = True
            elif escalates[number]:
                escalates[number] = self._seen.coverage(title) < MOSTLY_SEEN
        return escalates
