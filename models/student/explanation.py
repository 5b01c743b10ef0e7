"""Explains a decision of the student: for each level, the weight of each piece of the text.

The student adds up one vector per piece of a text, so that a piece's contribution to a logit is exact. Its
weight in a decision is the gradient of the category's log odds within its parent times the piece's vector:
the mean contribution to the logits of the category's subtree, less that to the rest of the parent's subtree
(gradient times input: Shrikumar et al., 2017).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats, softmax
from models.student.artifact import Artifact
from models.taxonomy.decision import DecisionStep, likeliest_path
from models.taxonomy.tree import Node, Taxonomy
from models.text.cleaning import clean
from models.text.features import MAX_ROWS, feature_hash, pair_features, tokens, word_features
from models.text.promotions import clean_title


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, a pair of words, or one to three Chinese characters.

    Attributes:
        text: The piece. A pair is written as its words' stems, and a last word as `tea$`.
        weight: The piece's addition to the log odds; negative if it is evidence against the category.
    """

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class PieceStep(DecisionStep):
    """One level of a decision, with the weights of the text's pieces.

    Attributes:
        pieces: The pieces, by descending weight.
        names: The names and synonyms of the category and its subtree that occur in the text.
    """

    pieces: tuple[Piece, ...]
    names: tuple[str, ...]


class Explainer:
    """Explains the decisions of a student.

    Args:
        artifact: The verified model directory.
        taxonomy: The artifact's category tree.
    """

    def __init__(self, artifact: Artifact, taxonomy: Taxonomy) -> None:
        self._taxonomy, self._manifest = taxonomy, artifact.manifest
        self._row_of = {int(value): row for row, value in enumerate(artifact.tensor("hashes"), 1)}
        self._table, self._scales = artifact.tensor("table"), artifact.tensor("scales")
        self._weights = artifact.tensor("weights").astype(np.float32)
        self._bias = artifact.tensor("bias")

    def explain(self, text: str) -> list[PieceStep]:
        """Explain the decision on a text.

        Args:
            text: The text as a seller wrote it.

        Returns:
            The steps of `likeliest_path`; empty for a text without known pieces.
        """
        text = clean_title(text)
        pieces = self._pieces(text)
        if not pieces:
            return []
        vectors = np.array([vector for _, vector in pieces], dtype=np.float32)
        logits = vectors.sum(axis=0) @ self._weights + self._bias
        probabilities = softmax(logits[None].astype(np.float32), self._manifest.temperature)[0]
        steps: list[PieceStep] = []
        parent = slice(0, len(self._taxonomy))
        for step in likeliest_path(probabilities, self._taxonomy):
            subtree = self._subtree(step.category)
            gradient = self._gradient(probabilities, parent, subtree)
            weights = vectors @ gradient / self._manifest.temperature
            weighted = [Piece(name, float(weight)) for (name, _), weight in zip(pieces, weights, strict=True)]
            weighted.sort(key=lambda piece: -piece.weight)
            names = tuple(self._names(step.category, text))
            steps.append(PieceStep(step.category, step.probability, step.runner_up, tuple(weighted), names))
            parent = subtree
        return steps

    def _subtree(self, category: int) -> slice:
        return slice(category, int(self._taxonomy.ends[category]))

    def _gradient(self, probabilities: Floats, parent: slice, subtree: slice) -> Floats:
        """The gradient of a subtree's log odds within its parent with respect to the text's hidden vector.

        It is the mean vector of the subtree's categories, weighted by probability, less that of the rest of
        the parent's categories.
        """
        rest = probabilities.astype(np.float64)
        rest[: parent.start] = rest[subtree] = rest[parent.stop :] = 0.0
        rest /= max(rest.sum(), 1e-300)
        own = probabilities[subtree] / max(float(probabilities[subtree].sum()), 1e-12)
        return np.asarray(self._weights[:, subtree] @ own - self._weights @ rest, dtype=np.float32)

    def _pieces(self, text: str) -> list[tuple[str, Floats]]:
        """Each known piece with its part of the text's hidden vector; equal pieces are added up."""
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
        """Yield the names of a category and its subtree that occur in a cleaned text, each once."""
        for node in self._taxonomy.nodes[self._subtree(category)]:
            for name in _names_of(node):
                words = " ".join(tokens(clean(name)))
                occurs = words in padded if words[:1] >= "\u3040" else f" {words} " in padded
                if words and occurs and words not in seen:
                    seen.add(words)
                    yield name


def _names_of(node: Node) -> list[str]:
    return [node.name, *node.translations.values(), *(text for _, text in node.synonyms)]
