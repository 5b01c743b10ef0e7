"""Tags Chinese titles with spans of product nouns, brands, colors and other kinds."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.attributes.span_artifact import SHIPPED_SPANS, SpanManifest, SpanWeights, read_spans
from models.attributes.span_decoding import Scores, Span, decode, marginals, spans_of
from models.attributes.span_features import feature_slots, join_texts, match_gazetteers

TAGGED_CHARACTERS = 160
"""The number of characters that are tagged; longer titles repeat themselves."""
_CHINESE = re.compile("[\u3400-\u9fff]")
_BATCH_TITLES = 64
_BIAS = 128


class SpanTagger:
    """A linear-chain CRF over hashed features. It is thread-safe, and results do not depend on the batch.

    Args:
        manifest: The manifest.
        weights: The weights.

    Attributes:
        version: The version of the manifest.
    """

    def __init__(self, manifest: SpanManifest, weights: SpanWeights) -> None:
        self.version = manifest.version
        self._heads = manifest.heads
        self._gazetteers = manifest.gazetteers
        self._masks = weights.gazetteer_masks()
        self._rows = weights.rows()
        self._packed = _pack(np.concatenate([weights.table, np.zeros_like(weights.table[:1])]))
        self._scale = np.float32(weights.scale)
        self._transitions = weights.transitions

    @classmethod
    def load(cls, folder: Path | None = None) -> "SpanTagger":
        """Verify and load a span tagger.

        Args:
            folder: The directory of the artifact, or None for the shipped one.

        Raises:
            StopWorker: The artifact is missing or damaged.
        """
        return cls(*read_spans(folder or SHIPPED_SPANS))

    def tag(self, folded: Sequence[str]) -> list[dict[str, list[Span]]]:
        """Find the spans of titles.

        Args:
            folded: Titles as `models.text.cleaning.fold` returns them.

        Returns:
            Spans by head for each title; empty for a title without Chinese characters. A span's score is
            calibrated: the precision of spans of its kind with at least its probability.
        """
        tagged: list[dict[str, list[Span]]] = [{} for _ in folded]
        chinese = [number for number, text in enumerate(folded) if _CHINESE.search(text)]
        chinese.sort(key=lambda number: len(folded[number]))
        for start in range(0, len(chinese), _BATCH_TITLES):
            numbers = chinese[start : start + _BATCH_TITLES]
            texts = [folded[number][:TAGGED_CHARACTERS] for number in numbers]
            for head, per_title in zip(self._heads, self._spans(texts), strict=True):
                for number, spans in zip(numbers, per_title, strict=True):
                    tagged[number][head.name] = [
                        span._replace(score=_calibrated(head.confidences.get(span.kind, []), span.score))
                        for span in spans
                    ]
        return tagged

    def tag_uncalibrated(self, folded: Sequence[str]) -> Iterator[dict[str, list[Span]]]:
        """Find the spans of titles without calibration.

        Args:
            folded: Titles as `models.text.cleaning.fold` returns them. They are tagged in full.

        Yields:
            Spans by head for each title. A span's score is the probability of the CRF.
        """
        for text in folded:
            per_head = self._spans([text]) if text else [[[]] for _ in self._heads]
            yield {head.name: spans for head, (spans,) in zip(self._heads, per_head, strict=True)}

    def _spans(self, texts: Sequence[str]) -> list[list[list[Span]]]:
        """Return for each head the spans of each text, with probabilities as scores."""
        lengths = np.array([len(text) for text in texts])
        results = []
        for head, scores in zip(self._heads, self._scores(texts, lengths), strict=True):
            probabilities = marginals(scores, lengths, self._transitions[head.name])
            labels = decode(np.log(np.maximum(probabilities, 1e-12)), lengths)
            label_probabilities = np.take_along_axis(probabilities, labels[:, :, None], axis=2)[:, :, 0]
            results.append(
                [
                    spans_of(row[:length], row_probabilities[:length], head.kinds)
                    for row, row_probabilities, length in zip(
                        labels, label_probabilities, lengths.tolist(), strict=True
                    )
                ]
            )
        return results

    def _scores(self, texts: Sequence[str], lengths: npt.NDArray[np.int64]) -> Iterator[Scores]:
        """Yield for each head the label scores, shape [texts, longest, labels]."""
        line = join_texts(texts)
        rows = self._rows[feature_slots(line, match_gazetteers(line, self._masks, self._gazetteers))]
        # Adding columns one by one is several times as fast as a sum over the axis.
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


def _pack(table: npt.NDArray[np.int8]) -> npt.NDArray[np.uint64]:
    """Pack four weights into one integer, so that one addition adds all four.

    `_BIAS` is added to each weight, so that none is negative. A character has fewer than 256 features of at
    most 255 each, so every sum fits 16 bits.
    """
    raised = (table.astype(np.int16) + _BIAS).astype(np.uint16)
    return np.pad(raised, ((0, 0), (0, -table.shape[1] % 4))).view(np.uint64)


def _calibrated(steps: Sequence[tuple[float, float]], score: float) -> float:
    """Return the precision of the highest step whose minimum probability is reached; 0 below all."""
    return next((precision for minimum, precision in reversed(steps) if score >= minimum), 0.0)
