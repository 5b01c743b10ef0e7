"""The options that select dead letters, shared by the commands of `shelfstream dead-letters`."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import click

from streams.options import POSITION
from streams.replay.dead_letter_records import DeadLetterFilter, parse_attempts, parse_places
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange


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


class ParsedType(click.ParamType):
    """Parameter type of a text that a function parses, which raises ValueError for other texts."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text, or fail with the function's message."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


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
