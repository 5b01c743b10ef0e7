"""What a decision rests on where names decide: level by level, what the text is most like in the tree.

That is so without training, and where a text encoder judges what a student doubts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.arrays import Floats
from models.encoder.by_language import Encoders
from models.student.classifier import StudentClassifier
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean

_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Likeness:
    """A name, synonym or example of the tree.

    Attributes:
        text: Cleaned.
        score: How like the title: the cosine of meanings or, for other scripts, of letters.
    """

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class NamedStep:
    """One level of a decision.

    Attributes:
        category: The likeliest category's index.
        probability: Of this category and below.
        runner_up: The likeliest sibling's index; -1 where there is none.
        nearest: What in the category and below it is most like the title, the likest first.
    """

    category: int
    probability: float
    runner_up: int
    nearest: tuple[Likeness, ...]


class Judge(Protocol):
    """Decides by names, and says how like a text is to them."""

    def shares(self, texts: Sequence[str]) -> Floats:
        """The probabilities of cleaned texts, shape [texts, categories]; zeros where nothing is known."""
        ...

    def likeness(self, text: str) -> tuple[list[tuple[int, str]], Floats]:
        """The tree's texts with their categories, and how like a cleaned text is to each."""
        ...


class CascadeJudge:
    """The cascade on a title that its student doubts.

    Args:
        classifier: With its second stage.
        encoders: That stage.
        taxonomy: The tree.
    """

    def __init__(self, classifier: StudentClassifier, encoders: Encoders, taxonomy: Taxonomy) -> None:
        self._classifier, self._encoders, self._taxonomy = classifier, encoders, taxonomy

    def asked(self, title: str) -> bool:
        """Whether an encoder judges a title."""
        text = clean(title)
        return self._encoders.reader(text) is not None and self._classifier.asks(text)

    def shares(self, texts: Sequence[str]) -> Floats:
        """As `Judge.shares`: the joint opinion."""
        return self._classifier.shares(texts)

    def likeness(self, text: str) -> tuple[list[tuple[int, str]], Floats]:
        """As `Judge.likeness`; nothing is like a text that no encoder reads."""
        stage = self._encoders.reader(text)
        return ([], np.zeros(0, dtype=np.float32)) if stage is None else stage.likeness(text, self._taxonomy)


def explain_by_names(title: str, judge: Judge, taxonomy: Taxonomy) -> list[NamedStep]:
    """The way from the likeliest root down, while a child has at least half of its parent's probability.

    Args:
        title: As a seller wrote it. One of which nothing is known gives no step.
        judge: Whose decision.
        taxonomy: Its tree.
    """
    text = clean(title)
    (share,) = judge.shares([text])
    if not share.any():
        return []
    texts, scores = judge.likeness(text)
    categories = np.array([category for category, _ in texts])
    steps: list[NamedStep] = []
    choices = taxonomy.roots.tolist()
    while choices:
        masses = {choice: float(share[choice : taxonomy.ends[choice]].sum()) for choice in choices}
        best, *others = sorted(choices, key=lambda choice: -masses[choice])
        if steps and masses[best] < 0.5 * steps[-1].probability:
            break
        inside = np.flatnonzero((categories >= best) & (categories < taxonomy.ends[best]))
        nearest = inside[np.argsort(-scores[inside], kind="stable")[:_NEAREST]]
        likest = tuple(Likeness(texts[place][1], float(scores[place])) for place in nearest.tolist())
        steps.append(NamedStep(best, masses[best], others[0] if others else -1, likest))
        choices = list(taxonomy.nodes[best].children)
    return steps
