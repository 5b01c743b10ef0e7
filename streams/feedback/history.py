"""Feedback history: the latest entry per product, and the disagreements between people."""

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
    """One accept or correction of a product's category.

    Attributes:
        event: The decoded event.
        source: Position of the record in which the event was first written.
        partition: Partition of the record that was read.
        offset: Offset of the record that was read.
        timestamp: Timestamp of that record, in Unix milliseconds; -1 if it has none.
    """

    event: CategoryFeedback
    source: Source
    partition: int
    offset: int
    timestamp: int

    def supersedes(self, other: "FeedbackEntry") -> bool:
        """Return whether this entry is later than `other`.

        Within a partition the higher offset is later. Between partitions the later timestamp is, and at equal
        timestamps the higher partition.
        """
        if self.partition == other.partition:
            return self.offset > other.offset
        return (self.timestamp, self.partition) > (other.timestamp, other.partition)


class Disagreement(NamedTuple):
    """Two people named different categories for a product. The later one holds."""

    product_id: str
    earlier: CategoryFeedback
    later: CategoryFeedback


@dataclass
class FeedbackHistory:
    """Collects `category-feedback` records and keeps the latest entry per product.

    Partitions may be added in any order; the records of one partition are added in offset order.

    Args:
        taxonomy: Category tree of the feedback.
        excluded_names: Names of people whose feedback is ignored.

    Attributes:
        entries: Number of valid feedback records.
        rejected: Number of invalid records by reason. The reasons are those of the enrich agent.
        disagreements: Pairs of entries in which one person overruled another.
    """

    taxonomy: Taxonomy
    excluded_names: frozenset[str] = frozenset()
    entries: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)
    _latest: dict[str, dict[int, FeedbackEntry]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Add one record of `category-feedback`; an invalid one is only counted."""
        try:
            event = decode_category_feedback(record.value, record.key)
        except InvalidEvent as error:
            self.rejected[error.reason] += 1
            return
        if event.by in self.excluded_names:
            return
        if event.category_id is not None and event.category_id not in self.taxonomy:
            self.rejected["unknown-category"] += 1
            return
        self.entries += 1
        entry = FeedbackEntry(event, source_of(record), record.partition, record.offset, record.timestamp)
        # A producer with another partitioner spreads a product's feedback over partitions.
        by_partition = self._latest.setdefault(event.product_id, {})
        previous = by_partition.get(entry.partition)
        if previous is None or entry.supersedes(previous):
            by_partition[entry.partition] = entry
        if previous is not None and _contradict(previous.event, event):
            earlier, later = (previous, entry) if entry.supersedes(previous) else (entry, previous)
            self.disagreements.append(Disagreement(event.product_id, earlier.event, later.event))

    def latest(self) -> dict[str, FeedbackEntry]:
        """Return the latest entry per product id, ordered by partition and offset."""
        entries = sorted(self._latest_entries(), key=lambda entry: (entry.partition, entry.offset))
        return {entry.event.product_id: entry for entry in entries}

    def _latest_entries(self) -> Iterator[FeedbackEntry]:
        for by_partition in self._latest.values():
            latest, *others = by_partition.values()
            for other in others:
                latest = other if other.supersedes(latest) else latest
            yield latest


def _contradict(one: CategoryFeedback, other: CategoryFeedback) -> bool:
    named = one.category_id is not None and other.category_id is not None
    return named and one.by != other.by and one.category_id != other.category_id
