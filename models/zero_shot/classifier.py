"""Zero-shot classification: categories of any tree by their names, without training.

The encoder of a text's language scores it against the tree's prototypes. If no encoder reads the text, or the
tree has no name in that language, character overlap with the names gives the scores. A softmax over the
scores has one more answer, "none of these", with a constant score, so that a small tree does not claim texts
that are similar to none of its categories.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from models.arrays import Floats, softmax
from models.encoder.by_language import Encoders
from models.encoder.encoder import EncoderStage
from models.encoder.loading import for_taxonomy, load_encoders
from models.serving_config import DEFAULT_CONFIG, ServingConfig
from models.student.classifier import CANDIDATES, Classification
from models.taxonomy.decision import descend, top
from models.taxonomy.department_paths import department_paths
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import is_foreign, split_description
from models.text.features import tokens
from models.zero_shot.character_overlap import CharacterOverlap, hashed_vector

# Chosen for a high precision of what is published, on the titles of `python -m benchmarks.zero_shot`. The
# encoders' temperatures and scores for "none of these" are in their manifests.
OVERLAP_TEMPERATURE, OVERLAP_NONE = 0.06, 0.4
THRESHOLDS = (0.9, 0.95, 0.98)
_ROWS = 256
_LEAST_DIMENSIONS = 64


class ZeroShotClassifier:
    """A classifier for a tree that no student was trained for. Thread-safe.

    Args:
        taxonomy: The category tree.
        encoders: Encoders with the tree's prototypes; None if they read none of its names.
        threshold: Least confidence of a published category, at every level; None is `THRESHOLDS`.

    Attributes:
        model_version: Identifies the encoders, the tree, all its texts and the constants of this module.
        dimensions: The width of the embeddings: that of the widest encoder.
        reads_descriptions: As `Classifier.reads_descriptions`: whether there are encoders.
        thresholds: Least confidence of a published category of level 1, 2, 3 and deeper.
    """

    def __init__(self, taxonomy: Taxonomy, encoders: Encoders | None, threshold: float | None = None) -> None:
        self._overlap = CharacterOverlap(taxonomy)
        stages = [] if encoders is None else [*encoders.stages.values()]
        # The version changes with all that a classification depends on.
        constants = (OVERLAP_TEMPERATURE, OVERLAP_NONE, THRESHOLDS)
        inputs = (self._overlap.texts, [stage.version for stage in stages], constants)
        digest = hashlib.sha256(repr(inputs).encode())
        self.model_version = f"zero-shot-{digest.hexdigest()[:8]}+{taxonomy.version}"
        widths = [stage.prototypes.vectors.shape[1] for stage in stages]
        self.dimensions = max(widths, default=_LEAST_DIMENSIONS)
        self._taxonomy, self._encoders = taxonomy, encoders
        self.reads_descriptions = encoders is not None
        self.thresholds: tuple[float, ...] = THRESHOLDS if threshold is None else (threshold,)

    @classmethod
    def load(cls, taxonomy: Taxonomy, config: ServingConfig = DEFAULT_CONFIG) -> "ZeroShotClassifier":
        """Load the encoders and the tree's prototypes.

        Args:
            taxonomy: The category tree.
            config: `encoders`, `prototype_cache`, `threads`, `threshold` and `hardware` are used.

        Raises:
            StopWorker: An encoder is missing or damaged.
        """
        encoders = for_taxonomy(taxonomy, load_encoders(config), config.prototype_cache)
        return cls(taxonomy, encoders, config.threshold)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As `Classifier.classify`."""
        return [
            found
            for start in range(0, len(texts), _ROWS)
            for found in self._classify(texts[start : start + _ROWS])
        ]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """As `Classifier.probabilities`; a row's sum is 1 less the probability of "none of these"."""
        return self._predict(texts)[0]

    def similarities(self, text: str) -> tuple[list[tuple[int, str]], Floats]:
        """The similarity of a cleaned text to each text of the tree.

        Returns:
            Category index and text, for each text of the tree, and the similarities, shape [tree's texts].
        """
        encoder = self._encoder_for(text)
        if encoder is None:
            return self._overlap.texts, self._overlap.similarities(text).astype(np.float32)
        return encoder.similarities(text, self._taxonomy)

    def _predict(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Probabilities, shape [texts, categories], and unit vectors, shape [texts, dimensions]."""
        probabilities = np.zeros((len(texts), len(self._taxonomy)), dtype=np.float32)
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        encoders = [self._encoder_for(text) if tokens(text) else None for text in texts]
        for encoder in {each.version: each for each in encoders if each is not None}.values():
            rows = [number for number, each in enumerate(encoders) if each is encoder]
            encoded, scores = self._encode([texts[number] for number in rows], encoder)
            vectors[rows, : encoded.shape[1]] = encoded
            probabilities[rows] = _with_none(scores, encoder.scale.alone, encoder.scale.none)
        rows = [number for number, text in enumerate(texts) if encoders[number] is None and is_foreign(text)]
        if rows:
            scores = self._overlap.scores([split_description(texts[number])[0] for number in rows])
            probabilities[rows] = _with_none(scores, OVERLAP_TEMPERATURE, OVERLAP_NONE)
            probabilities[rows] *= scores.any(axis=1, keepdims=True)
            vectors[rows] = [hashed_vector(texts[number], self.dimensions) for number in rows]
        return probabilities, vectors

    def _encode(self, texts: Sequence[str], encoder: EncoderStage) -> tuple[Floats, Floats]:
        """The vectors of titles, and the scores of titles with their descriptions."""
        vectors = encoder.encode([split_description(text)[0] for text in texts])
        scores = encoder.prototypes.scores(vectors)
        described = [number for number, text in enumerate(texts) if split_description(text)[1]]
        if described:
            scores[described] = encoder.scores([texts[number] for number in described])
        return vectors, scores

    def _encoder_for(self, text: str) -> EncoderStage | None:
        return None if self._encoders is None else self._encoders.encoder_for(text)

    def _classify(self, texts: Sequence[str]) -> list[Classification]:
        probabilities, vectors = self._predict(texts)
        chosen, confidence, sure = descend(probabilities, self._taxonomy, self.thresholds)
        columns, values = top(probabilities, min(CANDIDATES, len(self._taxonomy)))
        codes = np.rint(vectors * 127.0).astype(np.int8)
        known = probabilities.max(axis=1) > 0.0
        unknown = Classification(-1, 0.0, False, (), np.zeros(self.dimensions, dtype=np.int8))
        masses = np.round(values.astype(np.float64), 4).tolist()
        certain = np.round(confidence.astype(np.float64), 4).tolist()
        departments = department_paths(probabilities, self._taxonomy)
        return [
            Classification(
                int(chosen[text]),
                certain[text],
                bool(sure[text]),
                tuple(zip(columns[text].tolist(), masses[text], strict=True)),
                codes[text],
                departments[text],
            )
            if known[text]
            else unknown
            for text in range(len(texts))
        ]


def _with_none(scores: Floats, temperature: float, none: float) -> Floats:
    """Softmax over the categories and "none of these", without the column of the latter.

    Args:
        scores: Shape [texts, categories].
        temperature: The temperature of the softmax.
        none: The score of "none of these".

    Returns:
        Probabilities, shape [texts, categories].
    """
    column = np.full((len(scores), 1), none, dtype=np.float32)
    return softmax(np.concatenate([scores, column], axis=1), temperature)[:, :-1]
