"""Similarity of texts and category names by common pieces of words, for texts that no encoder reads.

The pieces are the student's features of single words: one to three Chinese characters, or words with their
pieces. Each is weighted by its rarity among the categories (TF-IDF: Salton and Buckley, 1988). The similarity
of a text and a name is the geometric mean of two numbers. Their cosine prefers the longer of two names that
occur in a title. The share of the name that occurs in the title prevents a high similarity from one common
character in a small tree. Nothing is trained, so that any tree can be used.
"""

from collections.abc import Iterator, Sequence
from math import log

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.taxonomy.tree import Node, Taxonomy
from models.text.cleaning import clean
from models.text.features import feature_hash, tokens, word_features

MAX_PIECES = 512
"""The most pieces of one text; a Chinese title of 30 characters has about 90."""


class CharacterOverlap:
    """The names of a tree's categories as weighted pieces. Thread-safe.

    Args:
        taxonomy: The tree with names, translations, synonyms and examples.

    Attributes:
        texts: The cleaned texts of the tree, each with its category's index, ordered by category.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._count = len(taxonomy)
        texts = [(node.index, text) for node in taxonomy.nodes for text in _texts(node, taxonomy)]
        found = [list(dict.fromkeys(pieces(text))) for _, text in texts]
        holders: dict[str, set[int]] = {}
        for (category, _), each in zip(texts, found, strict=True):
            for piece in each:
                holders.setdefault(piece, set()).add(category)
        self._weight = {piece: log(1 + self._count / len(having)) for piece, having in holders.items()}
        self.texts = texts
        # An inverted index: the positions of the texts that have each piece.
        positions: dict[str, list[int]] = {}
        for position, each in enumerate(found):
            for piece in each:
                positions.setdefault(piece, []).append(position)
        self._postings = {piece: np.array(holding) for piece, holding in positions.items()}
        self._norms = np.array([np.linalg.norm([self._weight[piece] for piece in each]) for each in found])
        categories = np.array([category for category, _ in texts], dtype=np.int64)
        self._starts = np.flatnonzero(np.diff(categories, prepend=-1))
        self._present = categories[self._starts]

    def scores(self, texts: Sequence[str]) -> Floats:
        """The similarity of each text to each category's most similar text.

        Args:
            texts: Cleaned texts. Pieces that no category has are ignored.

        Returns:
            Similarities in [0, 1], shape [texts, categories].
        """
        scores = np.zeros((len(texts), self._count), dtype=np.float32)
        for number, text in enumerate(texts):
            scores[number, self._present] = np.maximum.reduceat(self.similarities(text), self._starts)
        return scores

    def similarities(self, text: str) -> npt.NDArray[np.float64]:
        """The similarity of a cleaned text to each text of the tree, in [0, 1], shape [len(self.texts)]."""
        known = [piece for piece in dict.fromkeys(pieces(text)) if piece in self._weight]
        if not known:
            return np.zeros(len(self.texts))
        weights = np.array([self._weight[piece] for piece in known])
        postings = [self._postings[piece] for piece in known]
        shared = np.repeat(weights**2, [len(positions) for positions in postings])
        sums = np.bincount(np.concatenate(postings), shared, len(self.texts))
        cosine = sums / (self._norms * np.linalg.norm(weights))
        return np.asarray(np.sqrt(cosine * sums / self._norms**2))


def pieces(text: str) -> list[str]:
    """The first `MAX_PIECES` features of a cleaned text's words, in order, with repetitions."""
    found: list[str] = []
    for word in tokens(text):
        if len(found) >= MAX_PIECES:
            break
        found += word_features(word[:MAX_PIECES])
    return found[:MAX_PIECES]


def _texts(node: Node, taxonomy: Taxonomy) -> Iterator[str]:
    """Yield the cleaned paths, names, synonyms and examples of a category, each once; first its path."""
    named = [node.path, node.name, *node.translations.values()]
    for language in node.translations:
        chain = [taxonomy.nodes[index] for index in taxonomy.ancestors(node.index)]
        named.append(" ".join(each.translations.get(language, each.name) for each in chain))
    named += [text for _, text in node.synonyms]
    for text in dict.fromkeys(map(clean, (*named, *node.examples))):
        if tokens(text):
            yield text


def hashed_vector(text: str, dimensions: int) -> Floats:
    """A vector of a text whose cosines approximate the overlap of pieces.

    Each piece adds 1 or -1 to one element; its hash chooses both (feature hashing: Weinberger et al., 2009).

    Args:
        text: A cleaned text.
        dimensions: The length of the vector.

    Returns:
        A unit vector, shape [dimensions]; zero for a text without pieces.
    """
    vector = np.zeros(dimensions, dtype=np.float32)
    for piece in dict.fromkeys(pieces(text)):
        digits = feature_hash(piece)
        vector[digits % dimensions] += 1.0 if digits >> 31 else -1.0
    return vector / max(float(np.linalg.norm(vector)), 1.0)
