"""Classifies cleaned texts with the student and, if there is one, the second stage of the cascade."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from models.arrays import Booleans, Floats, Indices, softmax
from models.student.artifact import Artifact
from models.student.backend import Backend
from models.student.escalation import EscalationPolicy, SecondStage
from models.student.micro_batcher import MicroBatcher
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.decision import descend, top
from models.taxonomy.department_paths import DepartmentPaths, department_paths
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import split_description
from models.text.features import Featurizer, pad

CANDIDATES = 5
_BATCH_ROWS = 64
_BATCH_TOKENS = 8192
_ESCALATED_ROWS = 256


@dataclass(frozen=True, slots=True)
class Classification:
    """The result of a classifier for one text.

    Attributes:
        category: The index of the deepest category that reached its threshold; the likeliest root if not
            `sure`; -1 for a text without known features.
        confidence: The calibrated probability of `category` with its subtree.
        sure: Whether level 1 reached its threshold.
        candidates: The likeliest single categories with their probabilities, best first.
        embedding: 127 times the unit vector of the text, shape [dimensions], int8; zero for a text without
            known features.
        departments: The departments' probabilities, to weigh them anew; None for a text without known
            features, or if the classifier does not tell them.
    """

    category: int
    confidence: float
    sure: bool
    candidates: tuple[tuple[int, float], ...]
    embedding: npt.NDArray[np.int8]
    departments: DepartmentPaths | None = None


class Classifier(Protocol):
    """Classifies cleaned texts: a student, a cascade, or zero-shot. Thread-safe.

    Attributes:
        model_version: Identifies all that the classifications depend on.
        dimensions: The width of the embeddings.
        reads_descriptions: Whether texts may hold a description after the title.
        thresholds: Least confidence of a published category of level 1, 2, …; the last one holds for all
            deeper levels.
    """

    model_version: str
    dimensions: int
    reads_descriptions: bool
    thresholds: tuple[float, ...]

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """Classify each text, in order. Any text is allowed, also an empty one."""
        ...

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The probabilities behind `classify`.

        Args:
            texts: Cleaned texts, at most some hundred at a time: a row takes 22 kB with Google's tree.

        Returns:
            Shape [texts, categories]; a row of zeros for a text without known features.
        """
        ...


class _Batch(NamedTuple):
    """Texts with their probabilities.

    Attributes:
        texts: The texts' indices, shape [texts].
        probabilities: Shape [texts, categories].
        embedding: Shape [texts, dimensions].
        known: Whether the classifier knows any feature of the text, shape [texts].
    """

    texts: Indices
    probabilities: Floats
    embedding: Floats
    known: Booleans

    def select(self, chosen: Booleans) -> "_Batch":
        """The chosen texts of the batch."""
        return _Batch(
            self.texts[chosen], self.probabilities[chosen], self.embedding[chosen], self.known[chosen]
        )


class StudentClassifier:
    """The student, as a cascade if there is a second stage. As a `Classifier` thread-safe.

    Args:
        artifact: The verified model directory.
        backend: Runs the student's arithmetic.
        taxonomy: The artifact's category tree.
        threshold: Least confidence of a published category, at every level; None is the artifact's own
            thresholds.
        second: Classifies the texts that the student is unsure of; None for the student alone.
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
        self.thresholds = tuple(manifest.thresholds) if threshold is None else (threshold,)
        self._featurizer = Featurizer(artifact.tensor("hashes"))
        self._policy = EscalationPolicy(SeenNgrams(artifact.tensor("familiar")), taxonomy)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As `Classifier.classify`."""
        results: list[Classification | None] = [None] * len(texts)
        for batch in self._predict(texts):
            for text, result in zip(batch.texts.tolist(), self._decide(batch), strict=True):
                results[text] = result
        return [result for result in results if result is not None]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """As `Classifier.probabilities`."""
        probabilities = np.zeros((len(texts), len(self._taxonomy)), dtype=np.float32)
        for batch in self._predict(texts):
            probabilities[batch.texts] = np.where(batch.known[:, None], batch.probabilities, 0.0)
        return probabilities

    def escalates(self, text: str) -> bool:
        """Whether the second stage takes part in the classification of a cleaned text."""
        if self._second is None:
            return False
        ((_, rows),) = self._batches([text])
        return bool(self._should_escalate(self._run_student([0], rows), [text])[0])

    def _predict(self, texts: Sequence[str]) -> Iterator[_Batch]:
        """Yield batches that together hold each text once; escalated texts are collected into large ones."""
        escalated: list[_Batch] = []
        for numbers, rows in self._batches(texts):
            batch = self._run_student(numbers, rows)
            if self._second is None:
                yield batch
                continue
            escalates = self._should_escalate(batch, texts)
            yield batch.select(~escalates)
            escalated.append(batch.select(escalates))
            if sum(len(each.texts) for each in escalated) >= _ESCALATED_ROWS:
                yield self._run_second_stage(self._second, escalated, texts)
                escalated = []
        if self._second is not None and escalated:
            yield self._run_second_stage(self._second, escalated, texts)

    def _should_escalate(self, batch: _Batch, texts: Sequence[str]) -> Booleans:
        members = [texts[text] for text in batch.texts.tolist()]
        return self._policy.should_escalate(members, batch.probabilities, batch.known)

    def _run_second_stage(self, second: SecondStage, escalated: list[_Batch], texts: Sequence[str]) -> _Batch:
        batch = _Batch(*map(np.concatenate, zip(*escalated, strict=True)))
        members = [texts[text] for text in batch.texts.tolist()]
        described = np.array([bool(split_description(text)[1]) for text in members], dtype=np.bool_)
        return batch._replace(
            probabilities=second.combine(members, batch.probabilities), known=batch.known | described
        )

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], list[list[int]]]]:
        """Yield the indices and feature rows of texts, with texts of similar length together."""
        # The student was trained on titles, so a description would mislead it.
        rows = [self._featurizer.rows(split_description(text)[0]) for text in texts]
        batcher: MicroBatcher[int] = MicroBatcher(max_tokens=_BATCH_TOKENS, max_rows=_BATCH_ROWS, max_age=0.0)
        batches = [
            batch
            for text in sorted(range(len(rows)), key=lambda text: len(rows[text]))
            for batch in batcher.add(text, len(rows[text]) + 1, now=0.0)
        ]
        for batch in [*batches, *batcher.drain()]:
            yield batch, [rows[text] for text in batch]

    def _run_student(self, texts: list[int], rows: list[list[int]]) -> _Batch:
        output = self._backend.run(pad(rows))
        probabilities = softmax(output.logits, self._temperature, out=output.logits)
        known = np.fromiter(map(bool, rows), dtype=np.bool_, count=len(rows))
        return _Batch(np.array(texts, dtype=np.int64), probabilities, output.embedding, known)

    def _decide(self, batch: _Batch) -> list[Classification]:
        if not len(batch.texts):
            return []
        chosen, confidence, sure = descend(batch.probabilities, self._taxonomy, self.thresholds)
        columns, values = top(batch.probabilities, min(CANDIDATES, len(self._taxonomy)))
        best, masses = columns.tolist(), _rounded(values)
        codes = np.rint(batch.embedding * 127.0).astype(np.int8)
        unknown = Classification(-1, 0.0, False, (), codes[0] * 0)
        departments = department_paths(batch.probabilities, self._taxonomy)
        return [
            Classification(
                category,
                certainty,
                is_sure,
                tuple(zip(best[text], masses[text], strict=True)),
                codes[text],
                departments[text],
            )
            if known
            else unknown
            for text, (category, certainty, is_sure, known) in enumerate(
                zip(
                    chosen.tolist(),
                    _rounded(confidence),
                    sure.tolist(),
                    batch.known.tolist(),
                    strict=True,
                )
            )
        ]


def _rounded(probabilities: Floats) -> list[Any]:
    """Round probabilities to four decimals; more would only enlarge events."""
    rounded: list[Any] = np.round(probabilities.astype(np.float64), 4).tolist()
    return rounded
