"""`shelfstream dead-letters export`, `fix` and `discard`: what to do with records that are invalid."""

from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.markup import escape

from schemas.audit import AuditAction
from streams.commands.audited import audited
from streams.commands.operate.dead_letter_options import Selection, open_selection, with_selection
from streams.commands.terminal_tables import new_table, print_table
from streams.options import with_settings
from streams.replay.dead_letter_lines import export_line
from streams.replay.dead_letter_view import printable
from streams.replay.discard import discard
from streams.replay.fix import Broken, Change, FixCounts, by_command, by_mapping, fix
from streams.replay.redrive import RedriveCounts
from streams.replay.value_mapping import Step, ValueMapping, known_encoding, load_mapping, make_step
from streams.settings import Settings

_KINDS_SHOWN = 20


@click.command("export")
@with_selection
@click.option("--all", "with_handled", is_flag=True, help="Also those that were handled.")
@click.option("--output", type=click.File("wb"), default="-", help="File to write.  [default: stdout]")
@with_settings
def export_dead_letters(
    settings: Settings, selection: Selection, with_handled: bool, output: BinaryIO
) -> None:
    """Write dead letters as JSON lines, with reasons, keys, headers and exact values.

    A value is in `value` if it is JSON, else in `value_text`, or in `value_base64` if it is no UTF-8. A null
    value has `tombstone`.
    """
    count = 0
    with open_selection(settings, selection, "exporting") as found:
        handled = {} if with_handled else found.reader.handled(required=False)
        for letters in found.reader.read(found.ranges):
            for letter in filter(selection.letters.matches, letters):
                if (letter.record.partition, letter.record.offset) not in handled:
                    output.write(export_line(letter) + b"\n")
                    count += 1
            found.advance(len(letters))
    click.echo(f"{count:,} dead letters exported", err=True)


@click.command("fix")
@with_selection
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML or JSON file with the steps of a mapping.",
)
@click.option("--rename", "renames", multiple=True, metavar="/OLD=/NEW", help="Rename a field. Repeatable.")
@click.option(
    "--convert",
    "conversions",
    multiple=True,
    metavar="/FIELD=TYPE",
    help="Convert a field: to string, integer, number, boolean, time, upper or trim. Repeatable.",
)
@click.option("--default", "defaults", multiple=True, metavar="/FIELD=VALUE", help="Set a missing field.")
@click.option("--set", "values", multiple=True, metavar="/FIELD=VALUE", help="Set a field. Repeatable.")
@click.option("--remove", "removals", multiple=True, metavar="/FIELD", help="Remove a field. Repeatable.")
@click.option("--key-from", metavar="/FIELD", help="Make this field the record's key.")
@click.option("--encoding", help="Encoding of values that are not UTF-8, such as latin-1.")
@click.option("--command", "shell_command", help="Shell command that changes the lines of `export`.")
@click.option("--broken", type=click.File("wb"), help="File for the dead letters that stay broken.")
@click.option("--dry-run", is_flag=True, help="Show what would be fixed, and send nothing.")
@with_settings
def fix_dead_letters(
    settings: Settings,
    selection: Selection,
    mapping_file: Path | None,
    shell_command: str | None,
    broken: BinaryIO | None,
    dry_run: bool,
    **steps: tuple[str, ...] | str | None,
) -> None:
    """Change invalid dead letters, check them, and send back those that fit their contract now.

    Give a mapping, by options or as a file, or a command that gets the lines of `export` and prints changed
    ones. A listing that is older than what is published is ignored by the workers. Each dead letter is sent
    once. Exits 1 if a selected one stays broken.
    """
    change = _change(mapping_file, shell_command, steps)

    def keep(each: Broken) -> None:
        if broken is not None:
            broken.write(export_line(each.letter) + b"\n")

    audit = audited(settings, AuditAction.FIX, when=not dry_run)
    with audit as done:
        with open_selection(settings, selection, "fixing") as found:
            counts = fix(
                settings,
                found.reader,
                found.ranges,
                selection.letters,
                change,
                dry_run=dry_run,
                on_progress=found.advance,
                on_broken=keep,
            )
        done.update({f"sent to {topic}": count for topic, count in counts.sent.items()})
        done["stay broken"] += counts.broken.total()
    _print_fix(counts, dry_run)


@click.command("discard")
@with_selection
@click.option("--because", required=True, help="Why, for the audit.")
@click.option("--everything", is_flag=True, help="Discard all of them: needed if no option selects.")
@click.option("--dry-run", is_flag=True, help="Count what would be discarded.")
@with_settings
def discard_dead_letters(
    settings: Settings, selection: Selection, because: str, everything: bool, dry_run: bool
) -> None:
    """Mark dead letters as done, so that they are neither listed nor sent back.

    Their records stay in the topic until its retention ends. The audit keeps who discarded them, and why.
    """
    if selection.is_everything and not everything:
        raise click.UsageError("select dead letters, or say --everything")
    audit = audited(settings, AuditAction.DISCARD, when=not dry_run, because=because)
    with audit as done:
        with open_selection(settings, selection, "discarding") as found:
            counts = discard(settings, found.reader, found.ranges, selection.letters, dry_run, found.advance)
        done.update({f"{reason} of {topic}": count for (topic, reason), count in counts.items()})
    for (topic, reason), count in counts.most_common():
        verb = "would be" if dry_run else "were"
        click.echo(f"{count:,} of {printable(topic)} ({printable(reason)}) {verb} discarded")
    if not counts:
        click.echo("Nothing to discard.")


def _change(
    mapping_file: Path | None, command: str | None, options: dict[str, tuple[str, ...] | str | None]
) -> Change:
    """Return the change that the options ask for: a mapping or a command."""
    given = any(options.values())
    if (command is not None) + (mapping_file is not None) + given != 1:
        raise click.UsageError("give one of --command, --mapping, or the options of a mapping")
    if command is not None:
        return by_command(command)
    if mapping_file is not None:
        return by_mapping(load_mapping(mapping_file))
    steps: list[Step] = []
    try:
        for operation, name in (
            ("rename", "renames"),
            ("convert", "conversions"),
            ("default", "defaults"),
            ("set", "values"),
        ):
            for text in options[name] or ():
                path, _, argument = text.partition("=")
                value = _json_or_text(argument) if operation in ("default", "set") else argument
                steps.append(make_step(operation, path, value))
        steps += [make_step("remove", path) for path in options["removals"] or ()]
        encoding, key = (str(options[name] or "") or None for name in ("encoding", "key_from"))
        encoding = None if encoding is None else known_encoding(encoding)
        return by_mapping(ValueMapping(tuple(steps), encoding, key))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _json_or_text(text: str) -> object:
    try:
        value: object = msgspec.json.decode(text)
    except ValueError:
        return text
    return value


def _print_fix(counts: FixCounts, dry_run: bool) -> None:
    for topic, count in counts.sent.most_common():
        click.echo(f"{count:,} records {'would be' if dry_run else 'were'} fixed and sent back to {topic}")
    if not counts.sent:
        click.echo("Nothing was fixed.")
    if counts.unchecked:
        click.echo(f"{counts.unchecked:,} of them were not checked: their topic has no contract")
    if counts.unchanged:
        click.echo(f"{counts.unchanged:,} stay as they are: nothing changed them")
    if counts.broken:
        click.echo(f"{counts.broken.total():,} stay broken:")
        table = new_table("reason", "message", "records", "for example")
        for (reason, detail), count in counts.broken.most_common(_KINDS_SHOWN):
            places = ", ".join(counts.examples[reason, detail])
            table.add_row(escape(printable(reason)), escape(printable(detail)), f"{count:,}", places)
        print_table(table)
    if counts.sent and not dry_run:
        click.echo(f"fix {counts.fix_id}")
    print_selection(counts.selection, failed=bool(counts.broken))


def print_selection(counts: RedriveCounts, failed: bool = False) -> None:
    """Print what was not sent, and why. Exits 1 if something cannot be sent, or `failed`."""
    for handling, count in counts.already_handled.most_common():
        hint = " (`redrive --again` sends them once more)" if handling.value in ("redriven", "fixed") else ""
        click.echo(f"{count:,} were {handling.value} before{hint}")
    if counts.not_selected:
        click.echo(f"{counts.not_selected:,} were not selected")
    for reason, count in counts.unroutable.most_common():
        click.echo(f"{count:,} cannot be sent back: {reason}", err=True)
    if counts.unroutable or failed:
        raise click.exceptions.Exit(1)
