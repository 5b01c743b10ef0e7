"""From cleaned texts to categories: features, backend, calibrated probabilities, and how deep to go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.backend import Backend
from models.batching import MicroBatcher
from models.calibration import descend, probabilities, top
from models.features import Featurizer, pad
from models.taxonomy import Taxonomy

CANDIDATES = 5
_BATCH_ROWS = 64
_BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Classification:
    """What a classifier makes of one text.

    Attributes:
        category: The index of the deepest category that is sure enough; the likeliest root where not `sure`;
            -1 where the text says nothing at all.
        confidence: The calibrated probability that the product is in `category` or below.
        sure: Whether level 1 reached its threshold.
        candidates: The likeliest categories at full depth with their probabilities, best first.
        embedding: Shape [dimensions], int8: 127 times the unit vector; zero for a text that says nothing.
    """

    category: int
    confidence: float
    sure: bool
    candidates: tuple[tuple[int, float], ...]
    embedding: npt.NDArray[np.int8]


class Classifier(Protocol):
    """Classifies cleaned texts: the student alone, or a cascade over several models. Thread-safe."""

    model_version: str
    dimensions: int

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """Classify each text, in order; odd and empty texts included."""
        ...


class SecondStage(Protocol):
    """Judges what the student doubts. Thread-safe."""

    version: str

    def join(self, texts: Sequence[str], share: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probabilities of the shape of `share`, which are the student's, in the light of both."""
        ...


class StudentClassifier:
    """The student of the cascade, and the cascade where there is a second stage.

    Args:
        artifact: The verified model folder.
        backend: What runs its numbers.
        taxonomy: The artifact's category tree.
        threshold: The least confidence of a published category, at every level; None: the artifact's own.
        second: What judges the texts of which the student is not even sure of level 1; None: nothing.
    """

    def __init__(
        self,
        artifact: Artifact,
        backend: Backend,
        taxonomy: Taxonomy,
        threshold: float | None = None,
        second: SecondStage | None = None,
    ) -> None:
        manifest = artifact.manifest
        self.model_version = manifest.model_version + ("" if second is None else f"+{second.version}")
        self._second = second
        self.dimensions = next(t.shape[1] for t in manifest.tensors if t.name == "table")
        self._backend, self._taxonomy = backend, taxonomy
        self._temperature = manifest.temperature
        self._thresholds = tuple(manifest.thresholds) if threshold is None else (threshold,)
        self._featurizer = Featurizer(artifact.tensor("hashes"))

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As `Classifier.classify`."""
        rows = [self._featurizer.rows(text) for text in texts]
        results: list[Classification | None] = [None] * len(texts)
        # Texts of like length together, so that little is padded.
        batcher: MicroBatcher[int] = MicroBatcher(max_tokens=_BATCH_TOKENS, max_rows=_BATCH_ROWS, max_age=0.0)
        batches = [
            batch
            for text in sorted(range(len(rows)), key=lambda text: len(rows[text]))
            for batch in batcher.add(text, len(rows[text]) + 1, now=0.0)
        ]
        for batch in [*batches, *batcher.drain()]:
            found = self._run([rows[text] for text in batch], [texts[text] for text in batch])
            for text, result in zip(batch, found, strict=True):
                results[text] = result
        return [result for result in results if result is not None]

    def _run(self, rows: list[list[int]], texts: list[str]) -> list[Classification]:
        output = self._backend.run(pad(rows))
        share = probabilities(output.logits, self._temperature, out=output.logits)
        chosen, confidence, sure = descend(share, self._taxonomy, self._thresholds)
        doubted = [text for text, known in enumerate(rows) if known and not sure[text]]
        if self._second is not None and doubted:
            share[doubted] = self._second.join([texts[text] for text in doubted], share[doubted])
            found = descend(share[doubted], self._taxonomy, self._thresholds)
            chosen[doubted], confidence[doubted], sure[doubted] = found
        columns, values = top(share, CANDIDATES)
        best, masses = columns.tolist(), _rounded(values)
        codes = np.rint(output.embedding * 127.0).astype(np.int8)
        nothing = Classification(-1, 0.0, False, (), codes[0] * 0)
        return [
            Classification(
                category,
                certainty,
                is_sure,
                tuple(zip(best[text], masses[text], strict=True)),
                codes[text],
            )
            if rows[text]
            else nothing
            for text, (category, certainty, is_sure) in enumerate(
                zip(chosen.tolist(), _rounded(confidence), sure.tolist(), strict=True)
            )
        ]


def _rounded(shares: npt.NDArray[np.float32]) -> list[Any]:
    """To four decimals, beyond which a probability says nothing and only fills events."""
    rounded: list[Any] = np.round(shares.astype(np.float64), 4).tolist()
    return rounded
