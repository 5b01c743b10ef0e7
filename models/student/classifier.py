"""From cleaned texts to categories: features, backend, calibrated probabilities, and how deep to go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from models.arrays import Floats, softmax
from models.student.artifact import Artifact
from models.student.backend import Backend
from models.student.escalation import EscalationPolicy, SecondStage
from models.student.micro_batcher import MicroBatcher
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.decision import descend, top
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import parts
from models.text.features import Featurizer, pad

CANDIDATES = 5
_BATCH_ROWS = 64
_BATCH_TOKENS = 8192
_DOUBTED_ROWS = 256


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
    reads_descriptions: bool

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """Classify each text, in order; odd and empty texts included."""
        ...

    def shares(self, texts: Sequence[str]) -> Floats:
        """The probabilities that `classify` decides by, shape [texts, categories].

        A row of zeros for a text that says nothing. A text takes 22 kB with Google's tree: give some hundred
        at a time.
        """
        ...


class _Judged(NamedTuple):
    """Texts whose probabilities are settled.

    Attributes:
        texts: Their numbers, shape [texts].
        share: Shape [texts, categories].
        embedding: Shape [texts, dimensions].
        known: Shape [texts]: whether the student knows anything of them.
    """

    texts: npt.NDArray[np.int64]
    share: Floats
    embedding: Floats
    known: npt.NDArray[np.bool_]

    def where(self, chosen: npt.NDArray[np.bool_]) -> "_Judged":
        """Only the chosen ones."""
        return _Judged(self.texts[chosen], self.share[chosen], self.embedding[chosen], self.known[chosen])


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
        self.reads_descriptions = second is not None
        self.dimensions = next(t.shape[1] for t in manifest.tensors if t.name == "table")
        self._backend, self._taxonomy = backend, taxonomy
        self._temperature = manifest.temperature
        self._thresholds = tuple(manifest.thresholds) if threshold is None else (threshold,)
        self._featurizer = Featurizer(artifact.tensor("hashes"))
        self._doubts = EscalationPolicy(SeenNgrams(artifact.tensor("familiar")), taxonomy)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As `Classifier.classify`."""
        results: list[Classification | None] = [None] * len(texts)
        for judged in self._judged(texts):
            for text, result in zip(judged.texts.tolist(), self._decide(judged), strict=True):
                results[text] = result
        return [result for result in results if result is not None]

    def shares(self, texts: Sequence[str]) -> Floats:
        """As `Classifier.shares`."""
        shares = np.zeros((len(texts), len(self._taxonomy)), dtype=np.float32)
        for judged in self._judged(texts):
            shares[judged.texts] = np.where(judged.known[:, None], judged.share, 0.0)
        return shares

    def asks(self, text: str) -> bool:
        """Whether the second stage judges a cleaned text too."""
        if self._second is None:
            return False
        ((_, rows),) = self._batches([text])
        judged = self._student([0], rows)
        return bool(self._doubts.about([text], judged.share, judged.known)[0])

    def _judged(self, texts: Sequence[str]) -> Iterator[_Judged]:
        """What the student is sure of, batch by batch; what it doubts waits for few, large batches."""
        waiting: list[_Judged] = []
        for batch, rows in self._batches(texts):
            judged = self._student(batch, rows)
            if self._second is None:
                yield judged
                continue
            asked = self._doubts.about([texts[text] for text in batch], judged.share, judged.known)
            yield judged.where(~asked)
            waiting.append(judged.where(asked))
            if sum(len(each.texts) for each in waiting) >= _DOUBTED_ROWS:
                yield self._settled(self._second, waiting, texts)
                waiting = []
        if self._second is not None and waiting:
            yield self._settled(self._second, waiting, texts)

    def _settled(self, second: SecondStage, waiting: list[_Judged], texts: Sequence[str]) -> _Judged:
        judged = _Judged(*map(np.concatenate, zip(*waiting, strict=True)))
        asked = [texts[text] for text in judged.texts.tolist()]
        told = np.array([bool(parts(text)[1]) for text in asked], dtype=np.bool_)
        return judged._replace(share=second.join(asked, judged.share), known=judged.known | told)

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], list[list[int]]]]:
        """The texts' numbers, texts of like length together so that little is padded, with their rows."""
        # The student learnt titles: of a description it would make too much.
        rows = [self._featurizer.rows(parts(text)[0]) for text in texts]
        batcher: MicroBatcher[int] = MicroBatcher(max_tokens=_BATCH_TOKENS, max_rows=_BATCH_ROWS, max_age=0.0)
        batches = [
            batch
            for text in sorted(range(len(rows)), key=lambda text: len(rows[text]))
            for batch in batcher.add(text, len(rows[text]) + 1, now=0.0)
        ]
        for batch in [*batches, *batcher.drain()]:
            yield batch, [rows[text] for text in batch]

    def _student(self, texts: list[int], rows: list[list[int]]) -> _Judged:
        output = self._backend.run(pad(rows))
        share = softmax(output.logits, self._temperature, out=output.logits)
        known = np.fromiter(map(bool, rows), dtype=np.bool_, count=len(rows))
        return _Judged(np.array(texts, dtype=np.int64), share, output.embedding, known)

    def _decide(self, judged: _Judged) -> list[Classification]:
        if not len(judged.texts):
            return []
        chosen, confidence, sure = descend(judged.share, self._taxonomy, self._thresholds)
        columns, values = top(judged.share, min(CANDIDATES, len(self._taxonomy)))
        best, masses = columns.tolist(), _rounded(values)
        codes = np.rint(judged.embedding * 127.0).astype(np.int8)
        nothing = Classification(-1, 0.0, False, (), codes[0] * 0)
        return [
            Classification(
                category, certainty, is_sure, tuple(zip(best[text], masses[text], strict=True)), codes[text]
            )
            if known
            else nothing
            for text, (category, certainty, is_sure, known) in enumerate(
                zip(
                    chosen.tolist(),
                    _rounded(confidence),
                    sure.tolist(),
                    judged.known.tolist(),
                    strict=True,
                )
            )
        ]


def _rounded(shares: Floats) -> list[Any]:
    """To four decimals, beyond which a probability says nothing and only fills events."""
    rounded: list[Any] = np.round(shares.astype(np.float64), 4).tolist()
    return rounded
