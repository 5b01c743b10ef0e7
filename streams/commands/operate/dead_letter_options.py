"""The options that select dead letters, shared by the commands of `shelfstream dead-letters`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple

import click

from streams.commands.terminal_tables import progress_bar
from streams.options import POSITION, ParsedType
from streams.replay.dead_letter_reader import DeadLetterReader
from streams.replay.dead_letter_records import DeadLetterFilter, parse_attempts, parse_places
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange
from streams.settings import Settings


class Selection(NamedTuple):
    """What the options select.

    Attributes:
        letters: Selects dead letters.
        begin: Position of the first dead letter.
        until: Position after the last one.
    """

    letters: DeadLetterFilter
    begin: Position
    until: Position

    @property
    def is_everything(self) -> bool:
        """Whether no option was given."""
        return self.letters.selects_all and (self.begin, self.until) == (START, END)


PLACES = ParsedType("places", parse_places)
"""Places in the dead-letter topic, such as 0:12,2:7-9."""

_OPTIONS = (
    click.option("--reason", "reasons", multiple=True, help="Select by reason. Repeatable."),
    click.option("--topic", "topics", multiple=True, help="Select by source topic. Repeatable."),
    click.option("--key", "keys", multiple=True, help="Select by the record's key. Repeatable."),
    click.option(
        "--field", "fields", multiple=True, help="Select by invalid field, such as $.title. Repeatable."
    ),
    click.option(
        "--attempt",
        "attempts",
        type=ParsedType("attempts", parse_attempts),
        help="Select by the number of attempts: 1, 1-3 or 3-.",
    ),
    click.option(
        "--from",
        "begin",
        type=POSITION,
        default=START,
        help="Begin at this position: an offset, a time, -2h or start.  [default: start]",
    ),
    click.option(
        "--until",
        "--to",
        "until",
        type=POSITION,
        default=END,
        help="Stop before this position: an offset, a time, -10m or end.  [default: end]",
    ),
    click.option(
        "--offsets",
        type=PLACES,
        help="Select by partition and offset in the dead-letter topic, such as 0:12,0:15,2:7-9.",
    ),
)


class SelectedLetters(NamedTuple):
    """Where the selected dead letters are, while they are read.

    Attributes:
        reader: The reader of the dead-letter topic.
        ranges: The offsets to read.
        advance: Moves the progress bar by a number of dead letters.
    """

    reader: DeadLetterReader
    ranges: list[OffsetRange]
    advance: Callable[[int], None]


@contextmanager
def open_selection(settings: Settings, selection: Selection, label: str) -> Iterator[SelectedLetters]:
    """Open the dead-letter topic for a command, with a progress bar.

    Args:
        settings: Settings with the broker's address.
        selection: What the options select.
        label: What the progress bar says.
    """
    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(selection.begin, selection.until)
        with progress_bar(label, sum(each.offsets for each in ranges)) as advance:
            yield SelectedLetters(reader, ranges, advance)


def with_selection(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select dead letters to a command, and pass it `selection`."""

    @wraps(command)
    def run(
        *,
        reasons: tuple[str, ...],
        topics: tuple[str, ...],
        keys: tuple[str, ...],
        fields: tuple[str, ...],
        attempts: tuple[int, int] | None,
        begin: Position,
        until: Position,
        offsets: tuple[OffsetRange, ...] | None,
        **kwargs: Any,
    ) -> None:
        letters = DeadLetterFilter(
            reasons=frozenset(reasons),
            topics=frozenset(topics),
            places=offsets or (),
            keys=frozenset(key.encode() for key in keys),
            fields=frozenset(fields),
            attempts=attempts,
        )
        command(selection=Selection(letters, begin, until), **kwargs)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run
