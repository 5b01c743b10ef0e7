"""What an import did: counts, the first fault of each kind, and the columns that it used."""

import re
from collections import Counter
from dataclasses import dataclass, field

from schemas.errors import InvalidEvent
from schemas.formats.row import Row

MOST_COLUMNS = 2000
"""Most columns that are remembered. Keys of JSON objects may be without end."""

_NUMBERS = re.compile(r"\d+")

MOST_FAULTS = 30
"""Most kinds of faults that are shown."""


@dataclass(slots=True)
class Fault:
    """A kind of fault.

    Args:
        place: Where it was found first.
        problem: What is wrong there.
        count: How often it was found.
    """

    place: str
    problem: str
    count: int = 0


@dataclass(slots=True)
class ImportReport:
    """The counts of an import; one for all of its files.

    Args:
        formats: The names of the files' formats.
        rows: Rows read.
        events: Events by topic.
        rejected: Rows that could not become events.
        skipped: Rows that say nothing of interest, such as drafts.
        faults: The first fault of each kind of rejected row.
        columns: How many rows have a value in a column.
        warnings: What a reader should know of the file, with counts.
    """

    formats: set[str] = field(default_factory=set)
    rows: int = 0
    events: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    skipped: int = 0
    faults: dict[tuple[str, str], Fault] = field(default_factory=dict)
    columns: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    _used: list[set[str]] = field(default_factory=list)

    def used(self) -> set[str]:
        """Return the columns that events were read from."""
        return set().union(*self._used)

    def see(self, row: Row) -> None:
        """Count a row and its columns."""
        self.rows += 1
        if not self._used or self._used[-1] is not row.used:
            self._used.append(row.used)
        for name, value in row.fields.items():
            # What a format adds to a row has a name in brackets.
            known = name in self.columns or len(self.columns) < MOST_COLUMNS
            if known and not name.startswith("(") and value not in (None, "", [], {}):
                self.columns[name] += 1

    def reject(self, file: str, row: Row, error: InvalidEvent) -> None:
        """Count a rejected row, and keep the fault if it is the first of its kind."""
        self.rejected += 1
        # Numbers and what is in brackets differ between faults of one kind.
        kind = (error.reason, error.field or _NUMBERS.sub("", error.problem.partition("(")[0]))
        fault = self.faults.setdefault(kind, Fault(f"{file}, {row.place}", error.problem))
        fault.count += 1

    def used_columns(self) -> list[str]:
        """Return the columns with values that became part of events, in file order."""
        used = self.used()
        return [name for name in self.columns if name in used]

    def unused_columns(self) -> list[str]:
        """Return the columns with values that nothing was read from, in file order."""
        used = self.used()
        return [name for name in self.columns if name not in used]

    def lines(self) -> list[str]:
        """Return the report for people."""
        events = [f"{count:,} {topic}" for topic, count in sorted(self.events.items())] or ["no events"]
        skipped = [f"{self.skipped:,} without an event"] if self.skipped else []
        counts = ", ".join([f"{self.rows:,} rows", *events, *skipped, f"{self.rejected:,} rejected"])
        lines = [f"{', '.join(sorted(self.formats))}: {counts}"]
        lines.append(f"columns used: {', '.join(self.used_columns()) or 'none'}")
        if self.unused_columns():
            lines.append(f"columns not used: {', '.join(self.unused_columns())}")
        lines += [f"warning: {text} ({count:,} events)" for text, count in self.warnings.items()]
        faults = list(self.faults.values())
        for fault in faults[:MOST_FAULTS]:
            lines.append(f"rejected {fault.count:,}: {fault.place}: {fault.problem}")
        if len(faults) > MOST_FAULTS:
            lines.append(f"{len(faults) - MOST_FAULTS} more kinds of faults")
        return lines
