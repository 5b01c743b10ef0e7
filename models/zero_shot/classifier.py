"""Categories of any tree at once, without training: by what categories are called.

A text is placed among the tree's names by the encoder of its language, or, where there is none or the tree
has no name in it, compared with the names letter by letter. Either way a category must be not only nearer
than others but near: besides the categories there is one more answer, "none of these", which is as far from
every text as a category that it is not in, so that a small tree does not claim all that it is shown.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.arrays import Floats, softmax
from models.encoder.by_language import Encoders
from models.encoder.device import Hardware
from models.encoder.encoder import EncoderStage
from models.encoder.loading import among_tree, load_encoders
from models.student.classifier import CANDIDATES, Classification
from models.taxonomy.decision import descend, top
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import is_foreign, parts
from models.text.features import tokens
from models.zero_shot.character_overlap import CharacterOverlap, direction

# Chosen for a high share right of what is published, on the titles of `python -m benchmarks.zero_shot`; the
# encoders' own numbers for it are in their manifests.
OVERLAP_TEMPERATURE, OVERLAP_NONE = 0.06, 0.4
THRESHOLDS = (0.9, 0.95, 0.98)
_ROWS = 256
_LEAST_DIMENSIONS = 64


class ZeroShotClassifier:
    """A classifier for a tree that no student was trained for. Thread-safe.

    Args:
        taxonomy: The tree.
        encoders: Among the tree's categories; None where they read none of its names.
        threshold: The least confidence of a published category, at every level; None: the default ones.

    Attributes:
        model_version: Names the encoders, the tree and all its texts.
        dimensions: Of the embeddings: those of the widest encoder.
        thresholds: The least confidence of a published category of level 1, 2, 3 and deeper.
    """

    def __init__(self, taxonomy: Taxonomy, encoders: Encoders | None, threshold: float | None = None) -> None:
        self._overlap = CharacterOverlap(taxonomy)
        stages = [] if encoders is None else [*encoders.stages.values()]
        # All that an answer depends on, as another answer is another model's.
        numbers = (OVERLAP_TEMPERATURE, OVERLAP_NONE, THRESHOLDS)
        shown = (self._overlap.texts, [stage.version for stage in stages], numbers)
        digest = hashlib.sha256(repr(shown).encode())
        self.model_version = f"zero-shot-{digest.hexdigest()[:8]}+{taxonomy.version}"
        widths = [stage.prototypes.vectors.shape[1] for stage in stages]
        self.dimensions = max(widths, default=_LEAST_DIMENSIONS)
        self._taxonomy, self._encoders = taxonomy, encoders
        self.reads_descriptions = encoders is not None
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
        """With the shipped encoders, or others.

        Args:
            taxonomy: The tree.
            cache: Where the tree's points are kept; None: nowhere, and each start encodes them.
            threads: Threads within one batch.
            threshold: As above.
            folder: The folder of encoders; None is the shipped one.
            hardware: What runs them.

        Raises:
            StopWorker: An encoder is missing or damaged; says why.
        """
        encoders = load_encoders(threads, folder, hardware)
        return cls(taxonomy, among_tree(taxonomy, encoders, cache), threshold)

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
        readers = [self._reader(text) if tokens(text) else None for text in texts]
        for stage in {reader.version: reader for reader in readers if reader is not None}.values():
            read = [number for number, reader in enumerate(readers) if reader is stage]
            vectors = stage.encode([parts(texts[number])[0] for number in read])
            directions[read, : vectors.shape[1]] = vectors
            scores = stage.prototypes.scores(vectors)
            told = [place for place, number in enumerate(read) if parts(texts[number])[1]]
            if told:
                scores[told] = stage.scores([texts[read[place]] for place in told])
            share[read] = _with_none(scores, stage.scale.alone, stage.scale.none)
        spelt = [number for number, text in enumerate(texts) if readers[number] is None and is_foreign(text)]
        if spelt:
            scores = self._overlap.scores([parts(texts[number])[0] for number in spelt])
            share[spelt] = _with_none(scores, OVERLAP_TEMPERATURE, OVERLAP_NONE)
            share[spelt] *= scores.any(axis=1, keepdims=True)
            directions[spelt] = [direction(texts[number], self.dimensions) for number in spelt]
        return share, directions

    def _reader(self, text: str) -> EncoderStage | None:
        return None if self._encoders is None else self._encoders.reader(text)

    def likeness(self, text: str) -> tuple[list[tuple[int, str]], Floats]:
        """The tree's texts with their categories, and how like a cleaned text is to each."""
        stage = self._reader(text)
        if stage is None:
            return self._overlap.texts, self._overlap.likeness(text).astype(np.float32)
        return stage.likeness(text, self._taxonomy)

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
    return softmax(np.concatenate([scores, column], axis=1), temperature)[:, :-1]
