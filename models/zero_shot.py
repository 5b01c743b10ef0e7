"""Categories of any tree at once, without training: by what categories are called.

Texts in Latin letters are placed by the shipped encoder among the tree's prototypes. It reads English only:
other texts are compared with the categories' names letter by letter. Either way a category must be not only
nearer than others but near: besides the categories there is one more answer, "none of these", which is as far
from every text as a category that it is not in, so that a small tree does not claim all that it is shown.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.calibration import descend, probabilities, top
from models.character_overlap import CharacterOverlap, direction
from models.classifier import CANDIDATES, Classification
from models.encoder import EncoderStage
from models.encoder_device import Hardware
from models.features import tokens
from models.prototype_cache import points_digest
from models.prototypes import Floats, Prototypes, points_of
from models.taxonomy import Taxonomy
from models.text import is_foreign
from models.tree_encoder import shipped_encoder, tree_prototypes

# Chosen for a high share right of what is published, on the titles of `python -m benchmarks.zero_shot`.
ENCODER_TEMPERATURE, ENCODER_NONE = 0.036, 0.45
OVERLAP_TEMPERATURE, OVERLAP_NONE = 0.06, 0.4
THRESHOLDS = (0.9, 0.95, 0.98)
_ROWS = 256


class ZeroShotClassifier:
    """A classifier for a tree that no student was trained for. Thread-safe.

    Args:
        taxonomy: The tree.
        encoder: Gives vectors of texts; its own tree does not matter.
        prototypes: The tree's points in the encoder's space; None where no category has one.
        threshold: The least confidence of a published category, at every level; None: the default ones.

    Attributes:
        model_version: Names the encoder, the tree and all its texts.
        dimensions: Of the embeddings.
        thresholds: The least confidence of a published category of level 1, 2, 3 and deeper.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        encoder: EncoderStage,
        prototypes: Prototypes | None,
        threshold: float | None = None,
    ) -> None:
        self._overlap = CharacterOverlap(taxonomy)
        self._prototypes = prototypes
        # All that an answer depends on, as another answer is another model's.
        numbers = (ENCODER_TEMPERATURE, ENCODER_NONE, OVERLAP_TEMPERATURE, OVERLAP_NONE, THRESHOLDS)
        shown = (self._overlap.texts, points_digest(taxonomy, encoder.version), numbers)
        digest = hashlib.sha256(repr(shown).encode())
        self.model_version = f"zero-shot-{digest.hexdigest()[:8]}+{taxonomy.version}"
        self.dimensions = encoder.encode(["a"]).shape[1]
        self._taxonomy, self._encoder = taxonomy, encoder
        self.thresholds = THRESHOLDS if threshold is None else (threshold,)

    @classmethod
    def load(
        cls,
        taxonomy: Taxonomy,
        cache: Path | None = None,
        threads: int = 1,
        threshold: float | None = None,
        folder: Path | None = None,
        hardware: Hardware = Hardware(),  # noqa: B008 - immutable
    ) -> "ZeroShotClassifier":
        """With the shipped encoder, or another one.

        Args:
            taxonomy: The tree.
            cache: Where the tree's points are kept; None: nowhere, and each start encodes them.
            threads: Threads within one batch.
            threshold: As above.
            folder: The encoder's folder; None is the shipped one.
            hardware: What runs it.

        Raises:
            StopWorker: The encoder is missing or damaged; says why.
        """
        encoder = shipped_encoder(threads, folder, hardware)
        return cls(taxonomy, encoder, tree_prototypes(taxonomy, encoder, cache), threshold)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As `Classifier.classify`."""
        return [
            found
            for start in range(0, len(texts), _ROWS)
            for found in self._classify(texts[start : start + _ROWS])
        ]

    def shares(self, texts: Sequence[str]) -> Floats:
        """As `Classifier.shares`; a row sums to less than 1 by the probability that it is none of these."""
        return self._judge(texts)[0]

    def _judge(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """The probabilities of texts, and their directions."""
        share = np.zeros((len(texts), len(self._taxonomy)), dtype=np.float32)
        directions = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        foreign = [number for number, text in enumerate(texts) if is_foreign(text)]
        latin = [number for number, text in enumerate(texts) if not is_foreign(text) and tokens(text)]
        if latin and self._prototypes is not None:
            vectors = self._encoder.encode([texts[number] for number in latin])
            directions[latin] = vectors
            share[latin] = _with_none(self._prototypes.scores(vectors), ENCODER_TEMPERATURE, ENCODER_NONE)
        if foreign:
            scores = self._overlap.scores([texts[number] for number in foreign])
            share[foreign] = _with_none(scores, OVERLAP_TEMPERATURE, OVERLAP_NONE)
            share[foreign] *= scores.any(axis=1, keepdims=True)
            directions[foreign] = [direction(texts[number], self.dimensions) for number in foreign]
        return share, directions

    def likeness(self, text: str) -> tuple[list[tuple[int, str]], Floats]:
        """The tree's texts with their categories, and how like a cleaned text is to each."""
        if is_foreign(text) or self._prototypes is None:
            return self._overlap.texts, self._overlap.likeness(text).astype(np.float32)
        shown = [(point.category, point.texts[-1]) for point in points_of(self._taxonomy)]
        return shown, self._prototypes.vectors @ self._encoder.encode([text])[0]

    def _classify(self, texts: Sequence[str]) -> list[Classification]:
        share, directions = self._judge(texts)
        chosen, confidence, sure = descend(share, self._taxonomy, self.thresholds)
        columns, values = top(share, min(CANDIDATES, len(self._taxonomy)))
        codes = np.rint(directions * 127.0).astype(np.int8)
        known = share.max(axis=1) > 0.0
        nothing = Classification(-1, 0.0, False, (), np.zeros(self.dimensions, dtype=np.int8))
        masses = np.round(values.astype(np.float64), 4).tolist()
        certain = np.round(confidence.astype(np.float64), 4).tolist()
        return [
            Classification(
                int(chosen[text]),
                certain[text],
                bool(sure[text]),
                tuple(zip(columns[text].tolist(), masses[text], strict=True)),
                codes[text],
            )
            if known[text]
            else nothing
            for text in range(len(texts))
        ]


def _with_none(scores: Floats, temperature: float, none: float) -> Floats:
    """The softmax over the categories and one more answer, whose score is `none`; without the latter."""
    column = np.full((len(scores), 1), none, dtype=np.float32)
    return probabilities(np.concatenate([scores, column], axis=1), temperature)[:, :-1]
