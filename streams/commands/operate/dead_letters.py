"""`shelfstream dead-letters`: list, show and redrive records that could not be processed."""

import sys
from collections.abc import Callable
from typing import Any

import click
import orjson
from rich.markup import escape

from streams.commands.terminal_tables import new_table, print_table, progress_bar
from streams.options import POSITION, with_settings
from streams.replay.dead_letter_records import DeadLetterFilter, DeadLetterOverview, parse_places
from streams.replay.dead_letter_view import PREVIEW_BYTES, full_text, iso_time, printable, summary_fields
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange
from streams.replay.redrive import DeadLetterReader, RedriveCounts, redrive
from streams.settings import Settings


class PlacesType(click.ParamType):
    """Parameter type of places in the dead-letter topic, such as 0:12,2:7-9."""

    name = "places"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[OffsetRange, ...]:
        """Parse the places, or fail with the part that has no valid form."""
        if isinstance(value, tuple):
            return value
        try:
            return parse_places(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add to a command the options that select dead letters."""
    for option in (
        click.option(
            "--offsets",
            type=PlacesType(),
            help="Select by partition and offset in the dead-letter topic, such as 0:12,0:15,2:7-9.",
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
            "--from",
            "begin",
            type=POSITION,
            default=START,
            help="Begin at this position: an offset, a time, -2h or start.  [default: start]",
        ),
        click.option("--topic", "topics", multiple=True, help="Select by source topic. Repeatable."),
        click.option(
            "--reason", "reasons", multiple=True, help="Select by reason, such as invalid-field. Repeatable."
        ),
    ):
        command = option(command)
    return command


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show and redrive records that could not be processed."""


@dead_letters.command("list")
@filter_options
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Number of records to list."
)
@click.option("--json", "as_json_lines", is_flag=True, help="Print one JSON object per line, newest first.")
@with_settings
def list_dead_letters(
    settings: Settings,
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    begin: Position,
    until: Position,
    offsets: tuple[OffsetRange, ...] | None,
    limit: int,
    as_json_lines: bool,
) -> None:
    """Count dead letters, and list the newest.

    Counts are by source topic and reason. Times are those of the error, not of the original record.
    """
    selection = DeadLetterFilter(frozenset(reasons), frozenset(topics), offsets or ())
    overview = DeadLetterOverview(limit)
    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(begin, until)
        with progress_bar("reading", sum(each.offsets for each in ranges)) as advance:
            for letters in reader.read(ranges):
                for letter in filter(selection.matches, letters):
                    overview.add(letter)
                advance(len(letters))
    if as_json_lines:
        for letter in overview.newest():
            click.echo(orjson.dumps(summary_fields(letter)))
        return
    _print_overview(overview)


def _print_overview(overview: DeadLetterOverview) -> None:
    if not overview.total:
        click.echo("No dead letters.")
        return
    counts = new_table("source topic", "reason", "records")
    for (topic, reason), count in overview.by_reason.most_common():
        counts.add_row(escape(printable(topic)), escape(printable(reason)), f"{count:,}")
    print_table(counts)
    newest = overview.newest()
    if not newest:
        return
    click.echo(
        f"\nThe newest {len(newest)} of {overview.total:,}. "
        "`shelfstream dead-letters show PLACE` shows one in full."
    )
    table = new_table("place", "time", "source", "reason", "attempt", "message")
    for letter in newest:
        row = (
            iso_time(letter.record.timestamp),
            letter.source,
            letter.reason,
            str(letter.attempt),
            letter.message,
        )
        table.add_row(letter.place, *(escape(printable(text)) for text in row))
    print_table(table)


@dead_letters.command("show")
@click.argument("place", type=PlacesType())
@click.option("--full", is_flag=True, help="Show the whole value, however long.")
@click.option("--raw", is_flag=True, help="Write only the value's bytes.")
@with_settings
def show_dead_letter(settings: Settings, place: tuple[OffsetRange, ...], full: bool, raw: bool) -> None:
    """Show one dead letter in full.

    Prints error, source, headers, value and stack trace. PLACE is its partition and offset in the dead-letter
    topic, such as 0:12.
    """
    if len(place) != 1 or place[0].offsets != 1:
        raise click.UsageError("PLACE is one partition and offset, such as 0:12")
    with DeadLetterReader(settings) as reader:
        letter = reader.read_one(place[0])
    if letter is None:
        raise click.ClickException(
            f"there is no dead letter at {place[0].partition}:{place[0].start}; "
            "it never existed or its retention is over"
        )
    if raw:
        click.get_binary_stream("stdout").write(letter.record.value or b"")
        return
    click.echo(full_text(letter, sys.maxsize if full else PREVIEW_BYTES))


@dead_letters.command("redrive")
@filter_options
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Send at most this many per second."
)
@click.option("--again", is_flag=True, help="Send also what an earlier run has sent.")
@click.option("--dry-run", is_flag=True, help="Count what would be sent, and send nothing.")
@with_settings
def redrive_dead_letters(
    settings: Settings,
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    begin: Position,
    until: Position,
    offsets: tuple[OffsetRange, ...] | None,
    rate: float | None,
    again: bool,
    dry_run: bool,
) -> None:
    """Send dead letters back to their topics.

    Fix the cause first. Records keep key, value, headers and timestamp. Each is sent once: a second run skips
    what was sent before. Exits 1 if a selected dead letter cannot be sent back.
    """
    selection = DeadLetterFilter(frozenset(reasons), frozenset(topics), offsets or ())
    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(begin, until)
        with progress_bar("redriving", sum(each.offsets for each in ranges)) as advance:
            counts = redrive(
                settings,
                reader,
                ranges,
                selection,
                again=again,
                rate=rate,
                dry_run=dry_run,
                on_progress=advance,
            )
    _print_counts(counts, dry_run)


def _print_counts(counts: RedriveCounts, dry_run: bool) -> None:
    for topic, count in counts.sent.most_common():
        click.echo(f"{count:,} records {'would be' if dry_run else 'were'} sent back to {topic}")
    if not counts.sent:
        click.echo("Nothing to send back.")
    if counts.already_redriven:
        click.echo(f"{counts.already_redriven:,} were redriven before (--again sends them once more)")
    if counts.not_selected:
        click.echo(f"{counts.not_selected:,} were not selected")
    for reason, count in counts.unroutable.most_common():
        click.echo(f"{count:,} cannot be sent back: {reason}", err=True)
    if counts.unroutable:
        raise click.exceptions.Exit(1)
