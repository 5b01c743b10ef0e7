"""Counts of dead letters, and the newest ones."""

import heapq
from collections import Counter
from dataclasses import dataclass, field

from streams.replay.dead_letter_records import UNKNOWN, DeadLetter
from streams.replay.dead_letter_remedies import Remedy, remedy_of


@dataclass
class DeadLetterOverview:
    """Counts dead letters and keeps the newest ones.

    Args:
        limit: Number of dead letters to keep.

    Attributes:
        total: Number of dead letters added.
        by_reason: Number of dead letters by source topic and reason.
        remedies: What helps, by source topic and reason.
        handled: Number of dead letters that are left out because they were handled, by how.
    """

    limit: int
    total: int = 0
    by_reason: Counter[tuple[str, str]] = field(default_factory=Counter)
    remedies: dict[tuple[str, str], Remedy] = field(default_factory=dict)
    handled: Counter[str] = field(default_factory=Counter)
    _newest: list[tuple[int, int, int, DeadLetter]] = field(default_factory=list)

    def add(self, letter: DeadLetter) -> None:
        """Add a dead letter."""
        self.total += 1
        kind = letter.source_topic or UNKNOWN, letter.reason
        self.by_reason[kind] += 1
        self.remedies.setdefault(kind, remedy_of(letter))
        record = letter.record
        entry = (record.timestamp, record.offset, record.partition, letter)
        if len(self._newest) < self.limit:
            heapq.heappush(self._newest, entry)
        elif self.limit:
            heapq.heappushpop(self._newest, entry)

    def newest(self) -> list[DeadLetter]:
        """Return at most `limit` dead letters, newest first."""
        return [entry[3] for entry in sorted(self._newest, key=lambda entry: entry[:3], reverse=True)]
