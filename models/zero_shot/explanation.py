"""Explains decisions that compare names: for each level, the texts of the tree most similar to the title.

Zero-shot classification decides so, and so do text encoders to which a student escalates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.arrays import Floats
from models.encoder.by_language import Encoders
from models.student.classifier import StudentClassifier
from models.taxonomy.decision import DecisionStep, likeliest_path
from models.taxonomy.tree import Taxonomy
from models.text.promotions import clean_title

_NEAREST = 3


@dataclass(frozen=True, slots=True)
class SimilarText:
    """A name, synonym or example of the tree.

    Attributes:
        text: The cleaned text.
        score: The similarity to the title: the encoder's cosine, or the overlap of characters.
    """

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class SimilarityStep(DecisionStep):
    """One level of a decision, with the most similar texts.

    Attributes:
        nearest: The texts of the category and its subtree most similar to the title, best first.
    """

    nearest: tuple[SimilarText, ...]


class SimilarityClassifier(Protocol):
    """A classifier that compares texts with the names of categories."""

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The probabilities of cleaned texts.

        Returns:
            Shape [texts, categories]; a row of zeros for a text without known words.
        """
        ...

    def similarities(self, text: str) -> tuple[list[tuple[int, str]], Floats]:
        """The similarity of a cleaned text to each text of the tree.

        Returns:
            Category index and text, for each text of the tree, and the similarities, shape [tree's texts].
        """
        ...


class CascadeClassifier:
    """A student with text encoders as its second stage, and the encoders' similarities.

    Args:
        student: The student, with `encoders` as its second stage.
        encoders: The second stage.
        taxonomy: The category tree.
    """

    def __init__(self, student: StudentClassifier, encoders: Encoders, taxonomy: Taxonomy) -> None:
        self._student, self._encoders, self._taxonomy = student, encoders, taxonomy

    def escalates(self, title: str) -> bool:
        """Whether an encoder takes part in the decision on a title.

        Args:
            title: The title as a seller wrote it.
        """
        text = clean_title(title)
        return self._encoders.encoder_for(text) is not None and self._student.escalates(text)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """As `SimilarityClassifier.probabilities`, joint with the student's."""
        return self._student.probabilities(texts)

    def similarities(self, text: str) -> tuple[list[tuple[int, str]], Floats]:
        """As `SimilarityClassifier.similarities`; empty for a text that no encoder reads."""
        encoder = self._encoders.encoder_for(text)
        if encoder is None:
            return [], np.zeros(0, dtype=np.float32)
        return encoder.similarities(text, self._taxonomy)


def explain_by_similarity(
    title: str, classifier: SimilarityClassifier, taxonomy: Taxonomy
) -> list[SimilarityStep]:
    """Explain the decision on a title.

    Args:
        title: The title as a seller wrote it.
        classifier: The classifier that decides.
        taxonomy: The classifier's category tree.

    Returns:
        The steps of `likeliest_path`; empty for a title without known words.
    """
    text = clean_title(title)
    (probabilities,) = classifier.probabilities([text])
    if not probabilities.any():
        return []
    texts, scores = classifier.similarities(text)
    categories = np.array([category for category, _ in texts])
    steps: list[SimilarityStep] = []
    for step in likeliest_path(probabilities, taxonomy):
        inside = np.flatnonzero((categories >= step.category) & (categories < taxonomy.ends[step.category]))
        nearest = inside[np.argsort(-scores[inside], kind="stable")[:_NEAREST]]
        similar = tuple(SimilarText(texts[place][1], float(scores[place])) for place in nearest.tolist())
        steps.append(SimilarityStep(step.category, step.probability, step.runner_up, similar))
    return steps
