"""A pretrained text encoder as the second stage: classifies by cosine with the categories' prototypes.

The student knows the titles of the shops that it was trained on; the encoder knows words from general text.
The probabilities of both are combined by a normalized, weighted geometric mean (logarithmic opinion pool:
Genest and Zidek, 1986).
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
from models.encoder.device import open_encoder
from models.encoder.prototypes import Prototypes, prototype_texts
from models.encoder.wordpiece import WordPiece
from models.serving_config import DEFAULT_CONFIG, ServingConfig
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import split_description
from models.text.languages import Language, reads

LONGEST = 64
"""The most tokens of one text; a title has about 14."""
_BATCH_TEXTS = 32
_LEAST_PROBABILITY = np.float32(1e-7)


class EncoderStage:
    """Combines an encoder's probabilities with the student's. Thread-safe.

    Args:
        tokenizer: The encoder's tokenizer.
        backend: Runs the encoder's graph.
        prototypes: The categories' prototypes in the encoder's space.
        scale: How cosines become probabilities.
        language: The language of the texts that it reads.
        version: Eight hexadecimal digits that identify the encoder and its prototypes.

    Attributes:
        tokenizer: As given.
        prototypes: As given.
        scale: As given.
        language: As given.
        version: As given.
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
        config: ServingConfig = DEFAULT_CONFIG,
    ) -> "EncoderStage":
        """Read and verify an encoder's folder.

        Args:
            folder: The folder of one language.
            taxonomy: The category tree of the folder's prototypes.
            config: `threads` and `hardware` are used.

        Raises:
            StopWorker: The folder is missing or damaged, or its files do not fit.
        """
        manifest, version = read_encoder_manifest(folder, taxonomy)
        tokenizer = WordPiece(folder / VOCABULARY, LONGEST)
        backend = open_encoder(folder, config.threads, config.hardware)
        prototypes = read_prototypes(folder, len(taxonomy))
        check_encoder(folder, manifest, prototypes, backend, tokenizer, taxonomy)
        return cls(tokenizer, backend, prototypes, manifest.scale, manifest.language, version)

    def with_prototypes(self, prototypes: Prototypes, version: str) -> "EncoderStage":
        """The same encoder with the prototypes of another tree.

        Args:
            prototypes: The tree's prototypes in this encoder's space.
            version: Identifies the encoder and the prototypes; the first eight characters are kept.
        """
        other = copy(self)
        other.prototypes, other.version = prototypes, version[:8]
        return other

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of cleaned texts, shape [texts, dimensions]."""
        return encode_texts(texts, self.tokenizer, self._backend, self.prototypes.vectors.shape[1])

    def reads(self, text: str) -> bool:
        """Whether a cleaned text is in the encoder's language."""
        return reads(self.language, text)

    def scores(self, texts: Sequence[str]) -> Floats:
        """The cosine of each text with each category's nearest prototype.

        Args:
            texts: Cleaned texts, with or without descriptions. Tokens beyond `LONGEST` are not read.

        Returns:
            Cosines, shape [texts, categories].
        """
        return self.prototypes.scores(self.encode_joined(texts))

    def encode_joined(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of cleaned titles together with their descriptions, shape [texts, dimensions]."""
        return self.encode([". ".join(filter(None, split_description(text))) for text in texts])

    def similarities(self, text: str, taxonomy: Taxonomy) -> tuple[list[tuple[int, str]], Floats]:
        """The cosine of a text with each prototype.

        Args:
            text: A cleaned title.
            taxonomy: The tree of the prototypes.

        Returns:
            Category index and text of each prototype, and the cosines, shape [prototypes].
        """
        named = [(each.category, each.texts[0]) for each in prototype_texts(taxonomy, self.language)]
        return named, self.prototypes.vectors @ self.encode([text])[0]

    def combine(self, texts: Sequence[str], probabilities: Floats) -> Floats:
        """The joint probabilities of student and encoder.

        Args:
            texts: Cleaned texts. Texts in another language keep the student's probabilities.
            probabilities: The student's probabilities, shape [texts, categories].

        Returns:
            Joint probabilities, shape [texts, categories].
        """
        readable = [number for number, text in enumerate(texts) if self.reads(text)]
        if not readable:
            return probabilities
        # The scores need no softmax of their own: it would only subtract a constant from each row.
        logs = self.scores([texts[number] for number in readable])
        logs *= np.float32(self.scale.sharpness)
        logs += np.float32(self.scale.student_weight) * np.log(probabilities[readable] + _LEAST_PROBABILITY)
        joint = probabilities.copy()
        joint[readable] = softmax(logs, 1.0)
        return joint


def encode_texts(texts: Sequence[str], tokenizer: WordPiece, backend: TextEncoder, dimensions: int) -> Floats:
    """Encode cleaned texts.

    Only texts of equal length share a batch. Without padding, a text's vector does not depend on the other
    texts of its batch, so that a replay gives the same result.

    Args:
        texts: Cleaned texts.
        tokenizer: The encoder's tokenizer.
        backend: Runs the encoder.
        dimensions: The width of its vectors.

    Returns:
        Unit vectors, shape [texts, dimensions].
    """
    rows = [tokenizer.ids(text) for text in texts]
    vectors = np.zeros((len(texts), dimensions), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda text: len(rows[text]))
    for _, group in groupby(order, key=lambda text: len(rows[text])):
        members = list(group)
        for start in range(0, len(members), _BATCH_TEXTS):
            chosen = members[start : start + _BATCH_TEXTS]
            ids = np.array([rows[text] for text in chosen], dtype=np.int64)
            vectors[chosen] = backend.run(ids, np.ones_like(ids))
    return vectors
