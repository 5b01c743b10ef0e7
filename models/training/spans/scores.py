"""Exact-span precision, recall and F1, by kind and over all kinds."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from models.attributes.span_decoding import Span
from models.attributes.span_tagger import SpanTagger
from models.text.cleaning import fold
from models.training.extraction_score import ExtractionScore
from models.training.spans.corpus import KINDS, AnnotatedSpan, AnnotatedTitle


class SpanScore(ExtractionScore, frozen=True, kw_only=True):
    """The score of a span kind. A found span is right if borders and kind equal an annotated one.

    Attributes:
        kind: Kind, or `all`.
        marked: Number of annotated spans.
        found: Number of found spans.
        right: Number of found spans that are right.
    """

    kind: str
    marked: int

    @property
    def expected(self) -> int:
        """Return `marked`."""
        return self.marked


def score_spans(
    marked: Sequence[Iterable[AnnotatedSpan]], found: Sequence[Iterable[AnnotatedSpan]], kinds: Sequence[str]
) -> list[SpanScore]:
    """Score the found spans of titles.

    Args:
        marked: Annotated spans of each title.
        found: Found spans of each title.
        kinds: Kinds to score. Spans of other kinds are ignored.

    Returns:
        One score per kind, in the order of `kinds`, then one over all of them.
    """
    counts = {side: Counter[str]() for side in ("marked", "found", "right")}
    for annotated, predicted in zip(marked, found, strict=True):
        sides = {"marked": set(annotated), "found": set(predicted)}
        sides["right"] = sides["marked"] & sides["found"]
        for side, spans in sides.items():
            counts[side].update(kind for kind, _, _ in spans if kind in kinds)
    for each in counts.values():
        each["all"] = each.total()
    return [
        SpanScore(
            kind=kind, marked=counts["marked"][kind], found=counts["found"][kind], right=counts["right"][kind]
        )
        for kind in (*kinds, "all")
    ]


def found_spans(tagger: SpanTagger, titles: Sequence[AnnotatedTitle], source: str) -> Iterator[list[Span]]:
    """Tag titles by the annotation scheme of a source, with uncalibrated probabilities."""
    return (
        spans.get(source, []) for spans in tagger.tag_uncalibrated([fold(title.text) for title in titles])
    )


def tagger_scores(
    titles: Sequence[AnnotatedTitle], source: str, tagger: SpanTagger, split: str = "test"
) -> list[SpanScore]:
    """Score a tagger on the titles of a source and split."""
    test = [title for title in titles if title.source == source and title.split == split]
    found = [[span[:3] for span in spans] for spans in found_spans(tagger, test, source)]
    return score_spans([title.spans for title in test], found, KINDS[source])
