"""How much a text and the names of categories have in common, letter by letter: for what no encoder reads.

Texts are the student's features of single words: pieces of one to three Chinese characters, and words with
their pieces. Each is weighted by how few categories have it (TF-IDF: Salton and Buckley, 1988). A text is as
like a name as the geometric mean of two numbers says: their cosine, by which the longer of two names that
stand in a title wins, and the share of the name that stands there, without which one character in common
would be all that a small tree knows of a title. Nothing is learnt, so that any tree will do.
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
"""Pieces read of one text; a Chinese title of 30 characters has some 90."""


class CharacterOverlap:
    """The names of a tree's categories as weighted pieces. Thread-safe.

    Args:
        taxonomy: Whose names, translations, synonyms and examples.

    Attributes:
        texts: Those, cleaned, each with its category's index; by category.
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
        # For each piece the places of the texts that have it.
        places: dict[str, list[int]] = {}
        for place, each in enumerate(found):
            for piece in each:
                places.setdefault(piece, []).append(place)
        self._postings = {piece: np.array(holding) for piece, holding in places.items()}
        self._norms = np.array([np.linalg.norm([self._weight[piece] for piece in each]) for each in found])
        categories = np.array([category for category, _ in texts], dtype=np.int64)
        self._starts = np.flatnonzero(np.diff(categories, prepend=-1))
        self._present = categories[self._starts]

    def scores(self, texts: Sequence[str]) -> Floats:
        """Shape [texts, categories]: the likeness to each category's likest text, from 0 to 1.

        Args:
            texts: Cleaned. Pieces that no category has do not count.
        """
        scores = np.zeros((len(texts), self._count), dtype=np.float32)
        for number, text in enumerate(texts):
            scores[number, self._present] = np.maximum.reduceat(self.likeness(text), self._starts)
        return scores

    def likeness(self, text: str) -> npt.NDArray[np.float64]:
        """Shape [len(self.texts)]: how like a cleaned text is to each text of the tree, from 0 to 1."""
        known = [piece for piece in dict.fromkeys(pieces(text)) if piece in self._weight]
        if not known:
            return np.zeros(len(self.texts))
        weights = np.array([self._weight[piece] for piece in known])
        postings = [self._postings[piece] for piece in known]
        shared = np.repeat(weights**2, [len(places) for places in postings])
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
    """What a category is called, cleaned, each once; first its path, which names its ancestors too."""
    named = [node.path, node.name, *node.translations.values()]
    for language in node.translations:
        chain = [taxonomy.nodes[index] for index in taxonomy.ancestors(node.index)]
        named.append(" ".join(each.translations.get(language, each.name) for each in chain))
    named += [text for _, text in node.synonyms]
    for text in dict.fromkeys(map(clean, (*named, *node.examples))):
        if tokens(text):
            yield text


def direction(text: str, dimensions: int) -> Floats:
    """Shape [dimensions]: a unit vector whose cosines are about those of the texts' pieces; zero without any.

    Each piece adds 1 or -1 at one place, both by its hash (feature hashing: Weinberger et al., 2009).

    Args:
        text: Cleaned.
        dimensions: The length of the vector.
    """
    vector = np.zeros(dimensions, dtype=np.float32)
    for piece in dict.fromkeys(pieces(text)):
        digits = feature_hash(piece)
        vector[digits % dimensions] += 1.0 if digits >> 31 else -1.0
    return vector / max(float(np.linalg.norm(vector)), 1.0)
