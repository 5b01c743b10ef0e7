"""What a decision of the student rests on: level by level, how much each piece of the text speaks for it.

The student adds up a vector for each piece of a text, so that a piece's part in a logit is known exactly. Its
part in a decision is the slope of the log of the category's odds within its parent: the piece's mean part in
the logits of the category's subtree, less that in the rest of the parent's (gradient times input: Shrikumar
et al., 2017).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats, softmax
from models.student.artifact import Artifact
from models.taxonomy.tree import Node, Taxonomy
from models.text.cleaning import clean
from models.text.features import MAX_ROWS, feature_hash, pair_features, tokens, word_features


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, a pair of words, or one to three Chinese characters.

    Attributes:
        text: The piece; a pair by its words' stems, and `tea$` for a last word.
        weight: What it adds to the log of the odds; below 0 where it speaks against the category.
    """

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Step:
    """One level of a decision.

    Attributes:
        category: The likeliest category's index.
        probability: Of this category and below.
        runner_up: The likeliest sibling's index; -1 where there is none.
        pieces: What speaks for the category most comes first.
        names: The category's names and synonyms, and those below it, that stand in the text.
    """

    category: int
    probability: float
    runner_up: int
    pieces: tuple[Piece, ...]
    names: tuple[str, ...]


class Explainer:
    """Explains what a student makes of a text.

    Args:
        artifact: The verified model folder.
        taxonomy: The artifact's category tree.
    """

    def __init__(self, artifact: Artifact, taxonomy: Taxonomy) -> None:
        self._taxonomy, self._manifest = taxonomy, artifact.manifest
        self._row_of = {int(value): row for row, value in enumerate(artifact.tensor("hashes"), 1)}
        self._table, self._scales = artifact.tensor("table"), artifact.tensor("scales")
        self._weights = artifact.tensor("weights").astype(np.float32)
        self._bias = artifact.tensor("bias")

    def explain(self, text: str) -> list[Step]:
        """The way from the likeliest root down, while a child has at least half of its parent's probability.

        Args:
            text: As a seller wrote it. A text of which nothing is known gives no step.
        """
        text = clean(text)
        pieces = self._pieces(text)
        if not pieces:
            return []
        vectors = np.array([vector for _, vector in pieces], dtype=np.float32)
        logits = vectors.sum(axis=0) @ self._weights + self._bias
        share = softmax(logits[None].astype(np.float32), self._manifest.temperature)[0]
        steps: list[Step] = []
        start, end, choices = 0, len(self._taxonomy), self._taxonomy.roots.tolist()
        while choices:
            masses = {choice: float(share[self._inside(choice)].sum()) for choice in choices}
            best, *others = sorted(choices, key=lambda choice: -masses[choice])
            if steps and masses[best] < 0.5 * steps[-1].probability:
                break
            slope = self._contrast(share, slice(start, end), self._inside(best))
            weights = vectors @ slope / self._manifest.temperature
            found = [Piece(name, float(weight)) for (name, _), weight in zip(pieces, weights, strict=True)]
            found.sort(key=lambda piece: -piece.weight)
            names = tuple(self._names(best, text))
            steps.append(Step(best, masses[best], others[0] if others else -1, tuple(found), names))
            start, end = best, int(self._taxonomy.ends[best])
            choices = list(self._taxonomy.nodes[best].children)
        return steps

    def _inside(self, category: int) -> slice:
        return slice(category, int(self._taxonomy.ends[category]))

    def _contrast(self, share: Floats, parent: slice, inside: slice) -> Floats:
        """The mean vector of a subtree, weighted by probability, less that of the rest of its parent's."""
        rest = share.astype(np.float64)
        rest[: parent.start] = rest[inside] = rest[parent.stop :] = 0.0
        rest /= max(rest.sum(), 1e-300)
        own = share[inside] / max(float(share[inside].sum()), 1e-12)
        return np.asarray(self._weights[:, inside] @ own - self._weights @ rest, dtype=np.float32)

    def _pieces(self, text: str) -> list[tuple[str, Floats]]:
        """Each known piece with its part of the text's hidden vector; pieces that come twice are added up."""
        words = tokens(text)
        named = [
            (feature if word[0] >= "\u3040" else word, feature)
            for word in words
            for feature in word_features(word)
        ]
        named += [(feature, feature) for feature in pair_features(words)]
        rows = [(name, row) for name, feature in named if (row := self._row_of.get(feature_hash(feature)))]
        rows = rows[:MAX_ROWS]
        sums: dict[str, Floats] = {}
        for name, row in rows:
            vector = self._table[row] * (self._scales[row] / (len(rows) + self._manifest.shrinkage))
            sums[name] = sums.get(name, np.float32(0.0)) + vector
        return list(sums.items())

    def _names(self, category: int, text: str) -> Iterator[str]:
        padded = f" {' '.join(tokens(text))} "
        seen: set[str] = set()
        for node in self._taxonomy.nodes[self._inside(category)]:
            for name in _texts(node):
                words = " ".join(tokens(clean(name)))
                stands = words in padded if words[:1] >= "\u3040" else f" {words} " in padded
                if words and stands and words not in seen:
                    seen.add(words)
                    yield name


def _texts(node: Node) -> list[str]:
    return [node.name, *node.translations.values(), *(text for _, text in node.synonyms)]
