"""Prototypes: vectors of categories in a text encoder's space, made from names, paths, synonyms and examples.

The score of a category is the cosine with its nearest prototype. No labeled product is needed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import BLOCK, Floats
from models.taxonomy.tree import SEPARATOR, Node, Taxonomy
from models.text.cleaning import clean
from models.text.languages import Language, reads
from schemas.errors import StopWorker

Encode = Callable[[Sequence[str]], Floats]
"""Encodes cleaned texts as unit vectors, shape [texts, dimensions]."""


@dataclass(frozen=True, slots=True)
class PrototypeText:
    """The texts of one prototype, which is the mean of their vectors.

    Attributes:
        category: The category's index.
        texts: One or two cleaned texts.
    """

    category: int
    texts: tuple[str, ...]


def prototype_texts(taxonomy: Taxonomy, language: Language = "en") -> list[PrototypeText]:
    """The texts of a tree's prototypes, ordered by category.

    A category has a prototype of its name with its path, and one for each synonym, name in another language
    and example. Texts that an encoder of the language does not read are left out.

    Args:
        taxonomy: The category tree.
        language: The language of the encoder.
    """
    return [each for node in taxonomy.nodes for each in _texts_of(node, taxonomy, language)]


def _texts_of(node: Node, taxonomy: Taxonomy, language: Language) -> Iterator[PrototypeText]:
    names = [_name(taxonomy.nodes[index], language) for index in taxonomy.ancestors(node.index)]
    if names[-1]:
        path = SEPARATOR.join(name for name in names if name)
        yield PrototypeText(node.index, (clean(names[-1]), clean(path)))
    others = [text for code, text in node.synonyms if code == language]
    others += [name for code, name in node.translations.items() if code != language]
    for text in map(clean, (*others, *node.examples)):
        if text and reads(language, text):
            yield PrototypeText(node.index, (text,))


def _name(node: Node, language: Language) -> str:
    """The name that an encoder of the language can read; empty if there is none."""
    names = (node.translations.get(language, ""), node.name)
    return next((name for name in names if name and reads(language, clean(name))), "")


class Prototypes:
    """The prototypes of a category tree.

    Args:
        vectors: Unit vectors, shape [prototypes, dimensions].
        categories: The category index of each prototype, ascending, shape [prototypes].
        count: The number of categories; None if the last category has a prototype.

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
    def from_taxonomy(cls, taxonomy: Taxonomy, encode: Encode, language: Language = "en") -> "Prototypes":
        """Encode the prototypes of a tree, each text once.

        Raises:
            StopWorker: No category has a text that an encoder of the language reads.
        """
        sources = prototype_texts(taxonomy, language)
        if not sources:
            raise StopWorker(
                f"No category of {taxonomy.version} has a name that an encoder of {language!r} reads: "
                f"give names in a column name:{language}, or do without an encoder."
            )
        return _encoded(sources, encode, len(taxonomy))

    def scores(self, texts: Floats) -> Floats:
        """The cosine of each text with each category's nearest prototype.

        Args:
            texts: Unit vectors, shape [texts, dimensions].

        Returns:
            Cosines, shape [texts, categories]; -1 for a category without a prototype. A text's cosines have
            the same bytes whatever the other texts are.
        """
        blocks = np.pad(texts, ((0, -len(texts) % BLOCK), (0, 0)))
        cosines = (blocks @ self.vectors.T)[: len(texts)]
        nearest = np.asarray(np.maximum.reduceat(cosines, self._starts, axis=1), dtype=np.float32)
        if len(self._present) == self._count:
            return nearest
        scores = np.full((len(texts), self._count), -1.0, dtype=np.float32)
        scores[:, self._present] = nearest
        return scores


def node_prototypes(
    taxonomy: Taxonomy, categories: Sequence[int], encode: Encode, language: Language
) -> Prototypes | None:
    """The prototypes of some categories, numbered by their place among `categories`.

    Args:
        taxonomy: The category tree.
        categories: Indices of categories.
        encode: The encoder.
        language: The language of the encoder.

    Returns:
        The prototypes; None if no category has a name that the encoder reads.
    """
    sources = [
        PrototypeText(place, each.texts)
        for place, category in enumerate(categories)
        for each in _texts_of(taxonomy.nodes[category], taxonomy, language)
    ]
    return _encoded(sources, encode, len(categories)) if sources else None


def _encoded(sources: Sequence[PrototypeText], encode: Encode, count: int) -> Prototypes:
    """Encode the prototypes of `count` categories, each text once."""
    texts = list(dict.fromkeys(text for source in sources for text in source.texts))
    row_of = {text: row for row, text in enumerate(texts)}
    encoded = encode(texts)
    first = np.array([row_of[source.texts[0]] for source in sources])
    last = np.array([row_of[source.texts[-1]] for source in sources])
    vectors = _unit(encoded[first] + encoded[last])
    return Prototypes(vectors, np.array([source.category for source in sources]), count)


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
