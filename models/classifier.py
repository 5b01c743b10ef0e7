"""From cleaned texts to categories: features, backend, calibrated probabilities, and how deep to go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.backend import Backend
from models.batching import MicroBatcher
from models.calibration import descend, probabilities, top
from models.cascade import SecondStage, settle
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

    def shares(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The probabilities that `classify` decides by, shape [texts, categories].

        A row of zeros for a text that says nothing. A text takes 22 kB with Google's tree: give some hundred
        at a time.
        """
        ...


class _Joint(NamedTuple):
    """What student and second stage make of a batch: probabilities, and where they lead."""

    share: npt.NDArray[np.float32]
    chosen: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]
    sure: npt.NDArray[np.bool_]
    embedding: npt.NDArray[np.float32]


class StudentClassifier:
    """The student of the cascade, and the cascade where there is a second stage.

    Args:
        artifact: The verified model folder.
        backend: What runs its numbers.
        taxonomy: The artifact's category tree.
        threshold: The least confidence of a published category, at every level; None: the artifact's own.
        second: What judges the texts that the student doubts; None: nothing.
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
        results: list[Classification | None] = [None] * len(texts)
        for batch, rows in self._batches(texts):
            for text, result in zip(batch, self._run(rows, [texts[text] for text in batch]), strict=True):
                results[text] = result
        return [result for result in results if result is not None]

    def shares(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """As `Classifier.shares`."""
        shares = np.zeros((len(texts), len(self._taxonomy)), dtype=np.float32)
        for batch, rows in self._batches(texts):
            shares[batch] = self._joint(rows, [texts[text] for text in batch]).share
            shares[[text for text, known in zip(batch, rows, strict=True) if not known]] = 0.0
        return shares

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], list[list[int]]]]:
        """The texts' numbers, texts of like length together so that little is padded, with their rows."""
        rows = [self._featurizer.rows(text) for text in texts]
        batcher: MicroBatcher[int] = MicroBatcher(max_tokens=_BATCH_TOKENS, max_rows=_BATCH_ROWS, max_age=0.0)
        batches = [
            batch
            for text in sorted(range(len(rows)), key=lambda text: len(rows[text]))
            for batch in batcher.add(text, len(rows[text]) + 1, now=0.0)
        ]
        for batch in [*batches, *batcher.drain()]:
            yield batch, [rows[text] for text in batch]

    def _joint(self, rows: list[list[int]], texts: list[str]) -> "_Joint":
        output = self._backend.run(pad(rows))
        share = probabilities(output.logits, self._temperature, out=output.logits)
        if self._second is not None:
            settle(share, texts, [bool(known) for known in rows], self._taxonomy, self._second)
        return _Joint(share, *descend(share, self._taxonomy, self._thresholds), output.embedding)

    def _run(self, rows: list[list[int]], texts: list[str]) -> list[Classification]:
        share, chosen, confidence, sure, embedding = self._joint(rows, texts)
        columns, values = top(share, CANDIDATES)
        best, masses = columns.tolist(), _rounded(values)
        codes = np.rint(embedding * 127.0).astype(np.int8)
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
