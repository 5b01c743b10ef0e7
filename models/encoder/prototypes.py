"""Categories as points in a text encoder's space: their names, their paths, and what sellers say for them.

A text is as near to a category as to the nearest of its points. No product needs to have been seen.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.taxonomy.tree import SEPARATOR, Node, Taxonomy
from models.text.cleaning import clean
from models.text.languages import Language, reads
from schemas.errors import StopWorker

Encode = Callable[[Sequence[str]], Floats]
"""From cleaned texts to unit vectors, shape [texts, dimensions]."""


@dataclass(frozen=True, slots=True)
class Point:
    """What an encoder is shown of a category for one point: the mean of the texts' vectors.

    Attributes:
        category: The category's index.
        texts: Cleaned.
    """

    category: int
    texts: tuple[str, ...]


def points_of(taxonomy: Taxonomy, language: Language = "en") -> list[Point]:
    """The points of a tree, by category: its name with its path, then whatever else it is called.

    That are synonyms, names in further languages, and examples. What an encoder of the language does not read
    is left out; a category of which nothing is left has no point.
    """
    return [point for node in taxonomy.nodes for point in _points(node, taxonomy, language)]


def _points(node: Node, taxonomy: Taxonomy, language: Language) -> Iterator[Point]:
    names = [_name(taxonomy.nodes[index], language) for index in taxonomy.ancestors(node.index)]
    if names[-1]:
        path = SEPARATOR.join(name for name in names if name)
        yield Point(node.index, (clean(names[-1]), clean(path)))
    further = [text for spoken, text in node.synonyms if spoken == language]
    further += [name for spoken, name in node.translations.items() if spoken != language]
    for text in map(clean, (*further, *node.examples)):
        if text and reads(language, text):
            yield Point(node.index, (text,))


def _name(node: Node, language: Language) -> str:
    """The name that an encoder of the language can read; empty where there is none."""
    names = (node.translations.get(language, ""), node.name)
    return next((name for name in names if name and reads(language, clean(name))), "")


class Prototypes:
    """The points of a category tree.

    Args:
        vectors: Shape [points, dimensions]: unit vectors.
        categories: Shape [points]: whose point each is; ascending.
        count: The number of categories; None where the last one has a point.

    Attributes:
        vectors: As given.
        categories: As given.
    """

    def __init__(self, vectors: Floats, categories: npt.NDArray[np.int64], count: int | None = None) -> None:
        self.vectors, self.categories = vectors, categories
        self._starts = np.flatnonzero(np.diff(categories, prepend=-1))
        self._present = categories[self._starts]
        self._count = int(categories[-1]) + 1 if count is None else count

    @classmethod
    def of(cls, taxonomy: Taxonomy, encode: Encode, language: Language = "en") -> "Prototypes":
        """Encode the points of a tree, each text once.

        Raises:
            StopWorker: No category has a point.
        """
        points = points_of(taxonomy, language)
        if not points:
            raise StopWorker(
                f"No category of {taxonomy.version} has a name that an encoder of {language!r} reads: "
                f"give names in a column name:{language}, or do without an encoder."
            )
        texts = list(dict.fromkeys(text for point in points for text in point.texts))
        place = {text: number for number, text in enumerate(texts)}
        encoded = encode(texts)
        first = np.array([place[point.texts[0]] for point in points])
        last = np.array([place[point.texts[-1]] for point in points])
        vectors = _unit(encoded[first] + encoded[last])
        return cls(vectors, np.array([point.category for point in points]), len(taxonomy))

    def scores(self, texts: Floats) -> Floats:
        """Shape [texts, categories]: the cosine with each category's nearest point; -1 where it has none.

        Args:
            texts: Shape [texts, dimensions]: unit vectors.
        """
        cosines = texts @ self.vectors.T
        nearest = np.asarray(np.maximum.reduceat(cosines, self._starts, axis=1), dtype=np.float32)
        if len(self._present) == self._count:
            return nearest
        scores = np.full((len(texts), self._count), -1.0, dtype=np.float32)
        scores[:, self._present] = nearest
        return scores


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
