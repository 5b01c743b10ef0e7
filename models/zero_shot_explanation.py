"""What a decision without training rests on: level by level, what the text is most like in the tree."""

from dataclasses import dataclass

import numpy as np

from models.taxonomy import Taxonomy
from models.text import clean
from models.zero_shot import ZeroShotClassifier

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


def explain_by_names(title: str, classifier: ZeroShotClassifier, taxonomy: Taxonomy) -> list[NamedStep]:
    """The way from the likeliest root down, while a child has at least half of its parent's probability.

    Args:
        title: As a seller wrote it. One of which nothing is known gives no step.
        classifier: Whose decision.
        taxonomy: The classifier's tree.
    """
    text = clean(title)
    (share,) = classifier.shares([text])
    if not share.any():
        return []
    texts, scores = classifier.likeness(text)
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
