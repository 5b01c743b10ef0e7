"""Escalation: which texts the student passes on to the second stage."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import numpy as np

from models.arrays import Booleans, Floats
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import is_chinese, is_terse, split_description

CONFIDENT = 0.95
"""From this probability of the likeliest department on, a title that is partly seen does not escalate."""
MOSTLY_SEEN = 0.65
"""From this coverage by seen n-grams on, a title does not escalate. Most titles of the training shops reach
it, and few of those of other shops."""
PARTLY_SEEN = 0.5
"""Below this coverage a title always escalates, however confident the student is: on other shops its highest
confidences are as often wrong as the others."""


class Escalation(IntEnum):
    """When a title goes on to the second stage, before the student has seen it."""

    NEVER = 0
    IF_UNSURE = 1
    ALWAYS = 2


def escalation_of(title: str, coverage: float) -> Escalation:
    """When a title escalates.

    Args:
        title: A cleaned title.
        coverage: Its coverage by seen n-grams, of which there are none in Chinese.
    """
    if is_chinese(title):
        return Escalation.NEVER if coverage >= MOSTLY_SEEN else Escalation.IF_UNSURE
    if is_terse(title):
        return Escalation.ALWAYS
    if coverage >= MOSTLY_SEEN:
        return Escalation.NEVER
    return Escalation.IF_UNSURE if coverage >= PARTLY_SEEN else Escalation.ALWAYS


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

    A text escalates if it has a description, if its title has one or two words, or if few of its title's
    n-grams are of the training titles; with half of them, if the student is not confident of its department.
    On titles with mostly seen n-grams the student is the better classifier, because it knows how the training
    shops assign categories.

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
        unsure: Booleans = likeliest < CONFIDENT
        escalates: Booleans = np.zeros(len(texts), dtype=np.bool_)
        for number, text in enumerate(texts):
            title, description = split_description(text)
            if description:
                escalates[number] = True
            elif known[number]:
                when = escalation_of(title, self._seen.coverage(title))
                escalates[number] = when is Escalation.ALWAYS or (
                    when is Escalation.IF_UNSURE and unsure[number]
                )
        return escalates
