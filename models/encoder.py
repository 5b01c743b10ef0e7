"""The second stage of the cascade: what the student doubts, a pretrained text encoder judges too.

The student remembers the shops that it learnt from; the encoder knows words from general reading, and places
a text among the categories' prototypes. Their joint opinion is the normalized, weighted geometric mean of
their probabilities (logarithmic opinion pool: Genest and Zidek, 1986).
"""

import re
from collections.abc import Sequence
from copy import copy
from itertools import groupby
from pathlib import Path

import numpy as np

from models.calibration import probabilities
from models.encoder_artifact import (
    GRAPH,
    SHIPPED_ENCODER,
    VOCABULARY,
    read_encoder_manifest,
    read_prototypes,
)
from models.encoder_backend import EncoderBackend
from models.model_checks import check_encoder
from models.prototypes import Floats, Prototypes
from models.taxonomy import Taxonomy
from models.wordpiece import WordPiece

LONGEST = 64
"""Tokens read of one text; a title has some 14."""
STUDENT_WEIGHT, ENCODER_WEIGHT = 0.6, 0.45
"""Exponents of the two opinions: of a grid, the best calibrated on titles of shops that the student had not
seen and on held-out titles of those that it had; more for the encoder hardly helps with the former."""
_ROWS = 32
_FOREIGN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LEAST = np.float32(1e-7)


class EncoderStage:
    """Joins an encoder's opinion to the student's. Thread-safe.

    Args:
        tokenizer: Of the encoder.
        backend: What runs its graph.
        prototypes: The categories' points in its space.
        temperature: What cosines are divided by before the softmax.
        version: Eight digits that name the encoder.
    """

    def __init__(
        self,
        tokenizer: WordPiece,
        backend: EncoderBackend,
        prototypes: Prototypes,
        temperature: float,
        version: str,
    ) -> None:
        self.version = version
        self._tokenizer, self._backend = tokenizer, backend
        self._prototypes, self._temperature = prototypes, temperature

    @classmethod
    def load(cls, folder: Path | None, taxonomy: Taxonomy, threads: int = 1) -> "EncoderStage":
        """Read and verify an encoder's folder; None is the shipped one.

        Raises:
            StopWorker: It is missing, damaged or does not fit; says why.
        """
        folder = SHIPPED_ENCODER if folder is None else folder
        manifest, version = read_encoder_manifest(folder, taxonomy)
        tokenizer = WordPiece(folder / VOCABULARY, LONGEST)
        backend = EncoderBackend(folder / GRAPH, threads)
        prototypes = read_prototypes(folder, len(taxonomy))
        check_encoder(folder, manifest, prototypes, backend, tokenizer, taxonomy)
        return cls(tokenizer, backend, prototypes, manifest.temperature, version)

    def among(self, prototypes: Prototypes, version: str) -> "EncoderStage":
        """The same encoder among the categories of another tree.

        Args:
            prototypes: That tree's points in this encoder's space.
            version: Names the encoder and the points.
        """
        other = copy(self)
        other._prototypes, other.version = prototypes, version[:8]
        return other

    def encode(self, texts: Sequence[str]) -> Floats:
        """Shape [texts, dimensions]: unit vectors of cleaned texts."""
        rows = [self._tokenizer.ids(text) for text in texts]
        vectors = np.zeros((len(texts), self._prototypes.vectors.shape[1]), dtype=np.float32)
        # Texts of one length together: nothing is padded, so that a product's neighbours in a batch do not
        # change what is said of it, or a replay would say something else.
        order = sorted(range(len(texts)), key=lambda text: len(rows[text]))
        for _, group in groupby(order, key=lambda text: len(rows[text])):
            members = list(group)
            for start in range(0, len(members), _ROWS):
                chosen = members[start : start + _ROWS]
                ids = np.array([rows[text] for text in chosen], dtype=np.int64)
                vectors[chosen] = self._backend.run(ids, np.ones_like(ids))
        return vectors

    def join(self, texts: Sequence[str], share: Floats) -> Floats:
        """The joint probabilities of student and encoder.

        Args:
            texts: Cleaned texts. One with Chinese, Japanese or Korean characters keeps the student's opinion,
                as the encoder reads English.
            share: Shape [texts, categories]: the student's probabilities.

        Returns:
            Shape [texts, categories].
        """
        readable = [number for number, text in enumerate(texts) if not _FOREIGN.search(text)]
        joint = share.copy()
        if readable:
            vectors = self.encode([texts[number] for number in readable])
            # The encoder's own probabilities would only need a division more, which the softmax does.
            logs = self._prototypes.scores(vectors) * np.float32(ENCODER_WEIGHT / self._temperature)
            logs += np.float32(STUDENT_WEIGHT) * np.log(share[readable] + _LEAST)
            joint[readable] = probabilities(logs, 1.0)
        return joint
