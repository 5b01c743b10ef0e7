"""`shelfstream import`: events from the files of other systems."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from schemas.errors import InvalidFile, ShelfstreamError
from schemas.formats.custom import Custom
from schemas.formats.format import Format
from schemas.formats.head import Head
from schemas.formats.mapping import Mapping
from schemas.formats.registry import FORMATS
from schemas.formats.row import ImportOptions
from schemas.formats.values import currencies
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.progress import byte_bar
from streams.importing.conversion import AUTO, Converted, convert, detect, kinds
from streams.importing.opening import opened_files
from streams.importing.report import ImportReport
from streams.importing.writing import write_lines


def _print_formats(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    width = max(map(len, FORMATS))
    for kind, formats in kinds().items():
        for each in formats:
            click.echo(f"{each.name:<{width}}  {kind.value:<8}  {each.title}")
    click.echo(f"{Custom.name:<{width}}  {'any':<8}  {Custom.title}")
    context.exit()


@click.command("import")
@click.argument("name", metavar="FORMAT", type=click.Choice([AUTO, *FORMATS, Custom.name]))
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, writable=True),
    default="-",
    show_default=True,
    help="Output file: events, one per line. - is standard output.",
)
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Mapping file (TOML with JMESPath expressions) of the format `custom`.",
)
@click.option("--check", is_flag=True, help="Write nothing; report rows, columns and faults.")
@click.option("--encoding", help="Encoding of the files.  [default: byte order mark, declaration, UTF-8]")
@click.option("--currency", help="ISO 4217 code of prices without a currency.")
@click.option("--language", help="Language of listings without one, such as `de`.")
@click.option("--shop-id", help="The shop of all events.")
@click.option("--shop-url", help="Address of the shop, for formats that know a page by its handle alone.")
@click.option("--variants", is_flag=True, help="One listing per variant where a product has several.")
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_print_formats,
    help="List the formats, and exit.",
)  # fmt: skip
def import_events(
    name: str,
    files: tuple[str, ...],
    output: str,
    mapping: Path | None,
    check: bool,
    encoding: str | None,
    **values: Any,
) -> None:
    """Turn FILE... of another system into events, one JSON object per line.

    FORMAT is a name of --list, or `auto`. - is standard input. Compressed files and zip archives are
    unpacked.

    Each event is checked by the worker's own codec: what is written, the worker accepts. Rows without a
    valid event are counted and reported. Exits 1 if all rows are rejected, or a file cannot be read to its
    end.
    """
    started = perf_counter()
    options = _options(values)
    report = ImportReport()
    try:
        choose = _chooser(name, mapping)
        with byte_bar(f"importing {name}", _size(files)) as advance:
            events = _converted(choose, files, encoding, options, report, advance)
            if check:
                for _ in events:
                    pass
            else:
                write_lines((each.value for each in events), output)
    except InvalidFile as error:
        for line in report.lines() if report.rows else []:
            print_to_stderr(line)
        raise click.ClickException(str(error)) from error
    except (ShelfstreamError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for line in report.lines():
        print_to_stderr(line)
    written = sum(report.events.values())
    if written and not check:
        target = "standard output" if output == "-" else output
        print_to_stderr(f"{written:,} events written to {target} in {perf_counter() - started:.1f} s")
    elif not check and output != "-":
        print_to_stderr(f"nothing to write; {output} stays as it is")
    if not report.rows:
        raise click.ClickException(
            f"nothing of the format {name} was found; --list shows what each one takes"
        )
    if report.rejected == report.rows:
        raise SystemExit(1)


def _options(values: dict[str, Any]) -> ImportOptions:
    currency = values.pop("currency")
    if currency is not None:
        currency = currency.upper()
        if currency not in currencies():
            raise click.UsageError(f"--currency {currency} is no ISO 4217 code, such as EUR")
    return ImportOptions(currency=currency, now=datetime.now(UTC), **values)


def _size(files: tuple[str, ...]) -> int | None:
    """The bytes of all files, or None if one of them has no end that is known."""
    paths = [Path(file) for file in files]
    return sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else None


def _chooser(name: str, mapping: Path | None) -> Callable[[Head], Format]:
    """Return the function that says which format a file with a given beginning has.

    Raises:
        InvalidFile: The mapping file is wrong.
    """
    if (name == Custom.name) != (mapping is not None):
        raise click.UsageError(f"--mapping FILE and the format `{Custom.name}` belong together.")
    if mapping is None:
        return detect if name == AUTO else lambda head: FORMATS[name]
    try:
        custom = Custom(Mapping.read(mapping.read_text(encoding="utf-8")))
    except (InvalidFile, UnicodeDecodeError) as error:
        raise InvalidFile(f"{mapping}: {error}") from error
    return lambda head: custom


def _converted(
    choose: Callable[[Head], Format],
    files: tuple[str, ...],
    encoding: str | None,
    options: ImportOptions,
    report: ImportReport,
    advance: Callable[[int], None],
) -> Iterator[Converted]:
    for path in files:
        with opened_files(path, encoding, advance) as opened:
            for file in opened:
                try:
                    file_format = choose(file.head)
                except InvalidFile as error:
                    raise InvalidFile(f"{file.name}: {error}") from error
                report.formats.add(file_format.name)
                yield from convert(file, file_format, options, report)
