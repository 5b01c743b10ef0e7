"""`shelfstream dead-letters`: look at what could not be processed, and send it back."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click
from rich.markup import escape

from streams.commands.tables import new_table, print_table, progress_bar
from streams.options import POSITION, with_settings
from streams.replay.dead_letter_records import Choice, Overview, parse_places
from streams.replay.dead_letter_view import PREVIEW_BYTES, as_json, full_text, iso, printable
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange
from streams.replay.redrive import DeadLetterReader, Redriven, redrive
from streams.settings import Settings


class PlacesType(click.ParamType):
    """An option's value that names places in the dead-letter topic."""

    name = "places"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[OffsetRange, ...]:
        """Read the places, or fail with what cannot be read."""
        if isinstance(value, tuple):
            return value
        try:
            return parse_places(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def chosen(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which dead letters are meant."""
    for option in (
        click.option("--offsets", type=PlacesType(), help="Only these: 0:12,0:15,2:7-9."),
        click.option(
            "--until",
            "--to",
            "until",
            type=POSITION,
            default=END,
            help="First one not to look at: offset, time, -10m, end.",
        ),
        click.option(
            "--from", "begin", type=POSITION, default=START, help="First one: offset, time, -2h, start."
        ),
        click.option("--topic", "topics", multiple=True, help="Only those that came from this topic."),
        click.option("--reason", "reasons", multiple=True, help="Only those with this reason."),
    ):
        command = option(command)
    return command


@click.group("dead-letters")
def dead_letters() -> None:
    """Dead letters: what could not be processed, why, and its way back."""


@dead_letters.command("list")
@chosen
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Show so many.")
@click.option("--json", "as_json_lines", is_flag=True, help="A JSON object a line, newest first.")
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
    """Count dead letters by source topic and reason, and list the newest.

    Their time is that of the failure.
    """
    choice = Choice(frozenset(reasons), frozenset(topics), offsets or ())
    overview = Overview(limit)
    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(begin, until)
        with progress_bar("reading", sum(each.offsets for each in ranges)) as advance:
            for letters in reader.read(ranges):
                for letter in filter(choice.includes, letters):
                    overview.add(letter)
                advance(len(letters))
    if as_json_lines:
        for letter in overview.newest():
            click.echo(json.dumps(as_json(letter), ensure_ascii=False))
        return
    _show(overview)


def _show(overview: Overview) -> None:
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
        f"\nThe newest {len(newest)} of {overview.total:,}; `shelfstream dead-letters show PLACE` tells all:"
    )
    table = new_table("place", "time", "source", "reason", "attempt", "message")
    for letter in newest:
        row = (
            iso(letter.record.timestamp),
            letter.source,
            letter.reason,
            str(letter.attempt),
            letter.message,
        )
        table.add_row(letter.place, *(escape(printable(text)) for text in row))
    print_table(table)


@dead_letters.command("show")
@click.argument("place", type=PlacesType())
@click.option("--full", is_flag=True, help="The whole value, however long.")
@click.option("--raw", is_flag=True, help="Only the value's bytes, as they are.")
@with_settings
def show_dead_letter(settings: Settings, place: tuple[OffsetRange, ...], full: bool, raw: bool) -> None:
    """Show everything about the dead letter at PLACE, such as 0:12 (partition and offset)."""
    if len(place) != 1 or place[0].offsets != 1:
        raise click.UsageError("name one place, such as 0:12")
    with DeadLetterReader(settings) as reader:
        letter = reader.at(place[0])
    if letter is None:
        raise click.ClickException(f"no dead letter at {place[0].partition}:{place[0].start} (any more)")
    if raw:
        click.get_binary_stream("stdout").write(letter.record.value or b"")
        return
    click.echo(full_text(letter, sys.maxsize if full else PREVIEW_BYTES))


@dead_letters.command("redrive")
@chosen
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Records per second at most.")
@click.option("--again", is_flag=True, help="Also those that were redriven before.")
@click.option("--dry-run", is_flag=True, help="Only count what would be sent.")
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
    """Send dead letters back to their topics, as they were, after what was wrong is mended.

    Each is sent once: what was redriven is remembered, and a second run passes over it.
    """
    choice = Choice(frozenset(reasons), frozenset(topics), offsets or ())
    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(begin, until)
        with progress_bar("redriving", sum(each.offsets for each in ranges)) as advance:
            counts = redrive(
                settings,
                reader,
                ranges,
                choice,
                again=again,
                rate=rate,
                dry_run=dry_run,
                on_progress=advance,
            )
    _summarize(counts, dry_run)


def _summarize(counts: Redriven, dry_run: bool) -> None:
    for topic, count in counts.sent.most_common():
        click.echo(f"{count:,} records {'would be' if dry_run else 'were'} sent back to {topic}")
    if not counts.sent:
        click.echo("Nothing to send back.")
    if counts.already:
        click.echo(f"{counts.already:,} were redriven before (--again sends them once more)")
    if counts.not_chosen:
        click.echo(f"{counts.not_chosen:,} were not asked for")
    for why, count in counts.homeless.most_common():
        click.echo(f"{count:,} cannot go back: {why}", err=True)
    if counts.homeless:
        raise click.exceptions.Exit(1)
