"""Notes on the lines of a file: fields that were left out, and names that are probably typos."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.events import IgnoredField
from schemas.field_names import Misspelling
from schemas.tolerant_reader import field_name


@dataclass(slots=True)
class _Note:
    """How many lines a note is about, and the first of them."""

    line: int
    text: str
    count: int = 0


class FieldNotes:
    """Counts fields that were left out and misspelled names, each with its first line."""

    def __init__(self) -> None:
        self._notes: dict[str, _Note] = {}

    def add(self, line: int, ignored: tuple[IgnoredField, ...], misspelled: list[Misspelling]) -> None:
        """Count what one line had.

        Args:
            line: The number of the line.
            ignored: Its fields that were left out.
            misspelled: Its unknown fields that resemble one of the contract.
        """
        for each in ignored:
            self._count(f"left out {field_name(each)}", line, f"{each.field}: {each.problem}")
        for name in misspelled:
            self._count(
                f"unknown field {name.written}, is {name.meant} meant?", line, "an unknown field is not read"
            )

    def _count(self, what: str, line: int, text: str) -> None:
        self._notes.setdefault(what, _Note(line, text)).count += 1

    def warnings(self) -> Iterator[str]:
        """Yield one sentence per kind of note, the most frequent first."""
        for what, note in sorted(self._notes.items(), key=lambda each: -each[1].count):
            lines = f"{note.count:,} lines" if note.count > 1 else "1 line"
            yield f"warning: {what} ({lines}, first line {note.line}): {note.text}"
