"""What the characters of a Chinese title say: spans of product nouns, brands, colours and others."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.attributes.span_artifact import SHIPPED_SPANS, SpanManifest, SpanWeights, read_spans
from models.attributes.span_decoding import Scores, Span, decode, marginals, spans_of
from models.attributes.span_features import feature_slots, lay, matches

TAGGED_CHARACTERS = 160
"""How much of a title is tagged: longer ones repeat themselves."""
_CHINESE = re.compile("[\u3400-\u9fff]")
_TOGETHER = 64
_BIAS = 128


class SpanTagger:
    """A linear chain over hashed features. Thread-safe; what it says of a title depends on that title alone.

    Args:
        manifest: What the tagger is.
        weights: Its numbers.

    Attributes:
        version: What the manifest calls it.
    """

    def __init__(self, manifest: SpanManifest, weights: SpanWeights) -> None:
        self.version = manifest.version
        self._heads = manifest.heads
        self._gazetteers = manifest.gazetteers
        self._masks = weights.gazetteer_masks()
        self._rows = weights.rows()
        self._packed = _packed(np.concatenate([weights.table, np.zeros_like(weights.table[:1])]))
        self._scale = np.float32(weights.scale)
        self._transitions = weights.transitions

    @classmethod
    def load(cls, folder: Path | None = None) -> "SpanTagger":
        """Read and verify a folder; None is the one that comes with the project.

        Raises:
            StopWorker: It is missing or damaged; says why.
        """
        return cls(*read_spans(folder or SHIPPED_SPANS))

    def tag(self, folded: Sequence[str]) -> list[dict[str, list[Span]]]:
        """Spans by head, for each title folded by `models.text.cleaning.fold`; none for one without Chinese.

        A span's score is the share right of spans of its kind of which the chain was as sure.
        """
        found: list[dict[str, list[Span]]] = [{} for _ in folded]
        chosen = [number for number, text in enumerate(folded) if _CHINESE.search(text)]
        chosen.sort(key=lambda number: len(folded[number]))
        for start in range(0, len(chosen), _TOGETHER):
            numbers = chosen[start : start + _TOGETHER]
            texts = [folded[number][:TAGGED_CHARACTERS] for number in numbers]
            for head, per_title in zip(self._heads, self._spans(texts), strict=True):
                for number, spans in zip(numbers, per_title, strict=True):
                    found[number][head.name] = [
                        span._replace(score=_measured(head.confidences.get(span.kind, []), span.score))
                        for span in spans
                    ]
        return found

    def raw(self, folded: Sequence[str]) -> Iterator[dict[str, list[Span]]]:
        """As `tag`, one title at a time and whole, with the chain's own probabilities for scores."""
        for text in folded:
            per_head = self._spans([text]) if text else [[[]] for _ in self._heads]
            yield {head.name: spans for head, (spans,) in zip(self._heads, per_head, strict=True)}

    def _spans(self, texts: Sequence[str]) -> list[list[list[Span]]]:
        """For each head, the spans of each text."""
        lengths = np.array([len(text) for text in texts])
        results = []
        for head, scores in zip(self._heads, self._scores(texts, lengths), strict=True):
            chances = marginals(scores, lengths, self._transitions[head.name])
            labels = decode(np.log(np.maximum(chances, 1e-12)), lengths)
            own = np.take_along_axis(chances, labels[:, :, None], axis=2)[:, :, 0]
            results.append(
                [
                    spans_of(row[:length], chance[:length], head.kinds)
                    for row, chance, length in zip(labels, own, lengths.tolist(), strict=True)
                ]
            )
        return results

    def _scores(self, texts: Sequence[str], lengths: npt.NDArray[np.int64]) -> Iterator[Scores]:
        """For each head, the score of each label, shape [texts, longest, labels]."""
        line = lay(texts)
        rows = self._rows[feature_slots(line, matches(line, self._masks, self._gazetteers))]
        # One column after the other is several times as fast as a sum over an axis of that length.
        first, *others = np.ascontiguousarray(rows.T)
        sums = self._packed[first]
        for column_rows in others:
            sums += self._packed[column_rows]
        raised = np.float32(_BIAS * rows.shape[1])
        scores = (sums.view(np.uint16).astype(np.float32) - raised) * self._scale
        places = line.starts[:, None] + np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
        column = 0
        for head in self._heads:
            width = 1 + 2 * len(head.kinds)
            yield scores[places, column : column + width]
            column += width


def _packed(table: npt.NDArray[np.int8]) -> npt.NDArray[np.uint64]:
    """Four weights in one number, each raised by `_BIAS` so that none is negative: one sum for all four.

    A character has fewer than 256 features, so that no sum of up to 255 each leaves its 16 bits.
    """
    raised = (table.astype(np.int16) + _BIAS).astype(np.uint16)
    return np.pad(raised, ((0, 0), (0, -table.shape[1] % 4))).view(np.uint64)


def _measured(steps: Sequence[tuple[float, float]], score: float) -> float:
    """The share right of the last step that the score reaches; 0 below all."""
    return next((precision for least, precision in reversed(steps) if score >= least), 0.0)
