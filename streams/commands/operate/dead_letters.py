"""`shelfstream dead-letters`: list, show, redrive, export, fix and discard unprocessed records."""

import sys

import click
import orjson
from rich.markup import escape

from schemas.audit import AuditAction
from streams.commands.audited import audited
from streams.commands.operate.dead_letter_options import PLACES, Selection, open_selection, with_selection
from streams.commands.operate.dead_letter_repairs import (
    discard_dead_letters,
    export_dead_letters,
    fix_dead_letters,
    print_selection,
)
from streams.commands.terminal_tables import new_table, print_table
from streams.options import with_settings
from streams.replay.dead_letter_overview import DeadLetterOverview
from streams.replay.dead_letter_reader import DeadLetterReader
from streams.replay.dead_letter_view import PREVIEW_BYTES, full_text, iso_time, printable, summary_fields
from streams.replay.ranges import OffsetRange
from streams.replay.redrive import RedriveCounts, redrive
from streams.settings import Settings


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, redrive, export, fix and discard records that could not be processed."""


dead_letters.add_command(export_dead_letters)
dead_letters.add_command(fix_dead_letters)
dead_letters.add_command(discard_dead_letters)


@dead_letters.command("list")
@with_selection
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Number of records to list."
)
@click.option("--all", "with_handled", is_flag=True, help="Also those that were handled.")
@click.option("--json", "as_json_lines", is_flag=True, help="Print one JSON object per line, newest first.")
@with_settings
def list_dead_letters(
    settings: Settings, selection: Selection, limit: int, with_handled: bool, as_json_lines: bool
) -> None:
    """Count dead letters, and list the newest.

    Counts are by source topic and reason. Times are those of the error, not of the original record. What was
    redriven, fixed or discarded is left out.
    """
    overview = DeadLetterOverview(limit)
    with open_selection(settings, selection, "reading") as found:
        handled = found.reader.handled(required=False)
        for letters in found.reader.read(found.ranges):
            for letter in filter(selection.letters.matches, letters):
                before = handled.get((letter.record.partition, letter.record.offset))
                if before is None or with_handled:
                    overview.add(letter)
                else:
                    overview.handled[before.value] += 1
            found.advance(len(letters))
    if as_json_lines:
        for letter in overview.newest():
            state = handled.get((letter.record.partition, letter.record.offset))
            click.echo(orjson.dumps(summary_fields(letter) | {"handled": state and state.value}))
        return
    _print_overview(overview)


def _print_overview(overview: DeadLetterOverview) -> None:
    if overview.handled:
        handled = ", ".join(f"{count:,} {handling}" for handling, count in overview.handled.most_common())
        click.echo(f"Not listed, because they were handled: {handled}. --all lists them.", err=True)
    if not overview.total:
        click.echo("No dead letters.")
        return
    counts = new_table("source topic", "reason", "records", "what helps")
    for (topic, reason), count in overview.by_reason.most_common():
        helps = overview.remedies[topic, reason].value
        counts.add_row(escape(printable(topic)), escape(printable(reason)), f"{count:,}", helps)
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
@click.argument("place", type=PLACES)
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
@with_selection
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Send at most this many per second."
)
@click.option("--again", is_flag=True, help="Send also what an earlier run has sent.")
@click.option("--dry-run", is_flag=True, help="Count what would be sent, and send nothing.")
@with_settings
def redrive_dead_letters(
    settings: Settings, selection: Selection, rate: float | None, again: bool, dry_run: bool
) -> None:
    """Send dead letters back to their topics.

    Fix the cause first. Records keep key, value, headers and timestamp. Each is sent once: a second run skips
    what was sent before. A record that is invalid in itself comes back: `fix` changes it. Exits 1 if a
    selected dead letter cannot be sent back.
    """
    audit = audited(settings, AuditAction.REDRIVE, when=not dry_run)
    with audit as done:
        with open_selection(settings, selection, "redriving") as found:
            counts = redrive(
                settings,
                found.reader,
                found.ranges,
                selection.letters,
                again=again,
                rate=rate,
                dry_run=dry_run,
                on_progress=found.advance,
            )
        done.update({f"sent to {topic}": count for topic, count in counts.sent.items()})
    _print_counts(counts, dry_run)


def _print_counts(counts: RedriveCounts, dry_run: bool) -> None:
    for topic, count in counts.sent.most_common():
        click.echo(f"{count:,} records {'would be' if dry_run else 'were'} sent back to {topic}")
    if not counts.sent:
        click.echo("Nothing to send back.")
    if counts.invalid:
        click.echo(
            f"Warning: {counts.invalid:,} of them are invalid in themselves and come back as they are:"
            " change them with `shelfstream dead-letters fix`",
            err=True,
        )
    print_selection(counts)
