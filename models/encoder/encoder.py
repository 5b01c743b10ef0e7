"""A pretrained text encoder's opinion: what the student doubts, it judges too.

The student remembers the shops that it learnt from; the encoder knows words from general reading, and places
a text among the categories' prototypes. Their joint opinion is the normalized, weighted geometric mean of
their probabilities (logarithmic opinion pool: Genest and Zidek, 1986).
"""

from collections.abc import Sequence
from copy import copy
from itertools import groupby
from pathlib import Path

import numpy as np

from models.arrays import Floats, softmax
from models.encoder.artifact import VOCABULARY, Scale, read_encoder_manifest, read_prototypes
from models.encoder.backend import TextEncoder
from models.encoder.checks import check_encoder
from models.encoder.device import Hardware, open_encoder
from models.encoder.prototypes import Prototypes, points_of
from models.encoder.wordpiece import WordPiece
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import parts
from models.text.languages import Language, reads

LONGEST = 64
"""Tokens read of one text; a title has some 14."""
_ROWS = 32
_LEAST = np.float32(1e-7)


class EncoderStage:
    """Joins an encoder's opinion to the student's. Thread-safe.

    Args:
        tokenizer: Of the encoder.
        backend: What runs its graph.
        prototypes: The categories' points in its space.
        scale: What cosines mean there.
        language: What it reads.
        version: Eight digits that name the encoder.

    Attributes:
        prototypes: As given, like the rest.
    """

    def __init__(
        self,
        tokenizer: WordPiece,
        backend: TextEncoder,
        prototypes: Prototypes,
        scale: Scale,
        language: Language,
        version: str,
    ) -> None:
        self.version, self.language, self.scale, self.prototypes = version, language, scale, prototypes
        self.tokenizer, self._backend = tokenizer, backend

    @classmethod
    def load(
        cls,
        folder: Path,
        taxonomy: Taxonomy,
        threads: int = 1,
        hardware: Hardware = Hardware(),  # noqa: B008 - immutable
    ) -> "EncoderStage":
        """Read and verify an encoder's folder.

        Raises:
            StopWorker: It is missing, damaged or does not fit; says why.
        """
        manifest, version = read_encoder_manifest(folder, taxonomy)
        tokenizer = WordPiece(folder / VOCABULARY, LONGEST)
        backend = open_encoder(folder, threads, hardware)
        prototypes = read_prototypes(folder, len(taxonomy))
        check_encoder(folder, manifest, prototypes, backend, tokenizer, taxonomy)
        return cls(tokenizer, backend, prototypes, manifest.scale, manifest.language, version)

    def among(self, prototypes: Prototypes, version: str) -> "EncoderStage":
        """The same encoder among the categories of another tree.

        Args:
            prototypes: That tree's points in this encoder's space.
            version: Names the encoder and the points.
        """
        other = copy(self)
        other.prototypes, other.version = prototypes, version[:8]
        return other

    def encode(self, texts: Sequence[str]) -> Floats:
        """Shape [texts, dimensions]: unit vectors of cleaned texts."""
        return encode_texts(texts, self.tokenizer, self._backend, self.prototypes.vectors.shape[1])

    def reads(self, text: str) -> bool:
        """Whether it has an opinion of a cleaned text."""
        return reads(self.language, text)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Shape [texts, categories]: the cosine with each category's nearest point.

        Of a text with a description some fifty words are read.
        """
        read = [". ".join(filter(None, parts(text))) for text in texts]
        return self.prototypes.scores(self.encode(read))

    def likeness(self, text: str, taxonomy: Taxonomy) -> tuple[list[tuple[int, str]], Floats]:
        """The texts of the tree among whose points it is, with their categories, and the cosine with each."""
        shown = [(point.category, point.texts[0]) for point in points_of(taxonomy, self.language)]
        return shown, self.prototypes.vectors @ self.encode([text])[0]

    def join(self, texts: Sequence[str], share: Floats) -> Floats:
        """The joint probabilities of student and encoder.

        Args:
            texts: Cleaned texts. Those in another language keep the student's opinion.
            share: Shape [texts, categories]: the student's probabilities.

        Returns:
            Shape [texts, categories].
        """
        readable = [number for number, text in enumerate(texts) if self.reads(text)]
        if not readable:
            return share
        # The encoder's own probabilities would only need a division more, which the softmax does.
        logs = self.scores([texts[number] for number in readable])
        logs *= np.float32(self.scale.sharpness)
        logs += np.float32(self.scale.student_weight) * np.log(share[readable] + _LEAST)
        joint = share.copy()
        joint[readable] = softmax(logs, 1.0)
        return joint


def encode_texts(texts: Sequence[str], tokenizer: WordPiece, backend: TextEncoder, dimensions: int) -> Floats:
    """Shape [texts, dimensions]: unit vectors of cleaned texts.

    Texts of one length run together: nothing is padded, so that a product's neighbours in a batch do not
    change what is said of it, or a replay would say something else.
    """
    rows = [tokenizer.ids(text) for text in texts]
    vectors = np.zeros((len(texts), dimensions), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda text: len(rows[text]))
    for _, group in groupby(order, key=lambda text: len(rows[text])):
        members = list(group)
        for start in range(0, len(members), _ROWS):
            chosen = members[start : start + _ROWS]
            ids = np.array([rows[text] for text in chosen], dtype=np.int64)
            vectors[chosen] = backend.run(ids, np.ones_like(ids))
    return vectors
