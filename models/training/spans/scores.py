"""Exact-span precision, recall and F1, for each kind and over all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from models.attributes.span_decoding import Span
from models.attributes.span_tagger import SpanTagger
from models.text.cleaning import fold
from models.training.spans.corpus import KINDS, Marked, MarkedTitle


class SpanScore(msgspec.Struct, frozen=True, kw_only=True):
    """How well spans of a kind are found: right are those with the very borders and kind that people marked.

    Attributes:
        kind: The kind, or `all`.
        marked: Spans that people marked.
        found: Spans that were found.
        right: Spans that are both.
    """

    kind: str
    marked: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """The share right of those found; 0 where none was."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share found of those marked; 0 where none was."""
        return self.right / self.marked if self.marked else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.right / (self.marked + self.found) if self.right else 0.0


def score_spans(
    marked: Sequence[Iterable[Marked]], found: Sequence[Iterable[Marked]], kinds: Sequence[str]
) -> list[SpanScore]:
    """A score for each kind, in order, then one over all of these kinds together.

    Args:
        marked: For each title, what people marked.
        found: For each title, what was found.
        kinds: The kinds that count; others are left out on both sides.
    """
    counts = {side: Counter[str]() for side in ("marked", "found", "right")}
    for theirs, ours in zip(marked, found, strict=True):
        sides = {"marked": set(theirs), "found": set(ours)}
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


def found_spans(tagger: SpanTagger, titles: Sequence[MarkedTitle], source: str) -> Iterator[list[Span]]:
    """What a tagger finds in each title by the rules of a source, with the chain's own probabilities."""
    return (spans.get(source, []) for spans in tagger.raw([fold(title.text) for title in titles]))


def tagger_scores(
    titles: Sequence[MarkedTitle], source: str, tagger: SpanTagger, split: str = "test"
) -> list[SpanScore]:
    """How well a tagger does on a source's titles of a split."""
    test = [title for title in titles if title.source == source and title.split == split]
    found = [[span[:3] for span in spans] for spans in found_spans(tagger, test, source)]
    return score_spans([title.spans for title in test], found, KINDS[source])
