"""What people said of products' categories: the last word on each product, and who contradicted whom."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from models.taxonomy.tree import Taxonomy
from schemas.codec import decode_category_feedback
from schemas.errors import InvalidEvent
from schemas.events import CategoryFeedback, Source
from streams.provenance import source_of
from streams.records import Record


class FeedbackEntry(NamedTuple):
    """A person's word on a product.

    Attributes:
        event: What was said.
        source: The record in which it was first written.
        partition: Of the record that was read.
        offset: Of the record that was read.
        timestamp: The record's, in Unix milliseconds; -1 where it has none.
    """

    event: CategoryFeedback
    source: Source
    partition: int
    offset: int
    timestamp: int

    def supersedes(self, other: "FeedbackEntry") -> bool:
        """Whether it is the later one: by offset within a partition; else by time, then by partition."""
        if self.partition == other.partition:
            return self.offset > other.offset
        return (self.timestamp, self.partition) > (other.timestamp, other.partition)


class Disagreement(NamedTuple):
    """Somebody put a product elsewhere than another person had: the later word holds."""

    product_id: str
    earlier: CategoryFeedback
    later: CategoryFeedback


@dataclass
class FeedbackHistory:
    """The words of records, in any order of partitions; within a partition by offset.

    Args:
        taxonomy: Knows the categories that may be named.
        without: Names of people whose words count as never said.

    Attributes:
        said: How many words of people were read that could be followed.
        refused: How many records could not, by reason, as the agent refuses them.
        disputes: Where a person overruled another.
    """

    taxonomy: Taxonomy
    without: frozenset[str] = frozenset()
    said: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    disputes: list[Disagreement] = field(default_factory=list)
    _latest: dict[str, dict[int, FeedbackEntry]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Take in one record of category-feedback."""
        try:
            event = decode_category_feedback(record.value, record.key)
        except InvalidEvent as error:
            self.refused[error.reason] += 1
            return
        if event.by in self.without:
            return
        if event.category_id is not None and event.category_id not in self.taxonomy:
            self.refused["unknown-category"] += 1
            return
        self.said += 1
        word = FeedbackEntry(event, source_of(record), record.partition, record.offset, record.timestamp)
        # A producer with another partitioner spreads a product's words over partitions.
        by_partition = self._latest.setdefault(event.product_id, {})
        known = by_partition.get(word.partition)
        if known is None or word.supersedes(known):
            by_partition[word.partition] = word
        if known is not None and _contradict(known.event, event):
            earlier, later = (known, word) if word.supersedes(known) else (word, known)
            self.disputes.append(Disagreement(event.product_id, earlier.event, later.event))

    def last(self) -> dict[str, FeedbackEntry]:
        """The last word on each product, in the order of partitions and offsets."""
        words = sorted(self._last_words(), key=lambda word: (word.partition, word.offset))
        return {word.event.product_id: word for word in words}

    def _last_words(self) -> Iterator[FeedbackEntry]:
        for by_partition in self._latest.values():
            first, *others = by_partition.values()
            for other in others:
                first = other if other.supersedes(first) else first
            yield first


def _contradict(one: CategoryFeedback, other: CategoryFeedback) -> bool:
    named = one.category_id is not None and other.category_id is not None
    return named and one.by != other.by and one.category_id != other.category_id
