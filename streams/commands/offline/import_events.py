"""`shelfstream import`: events from the files of other systems."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from schemas.audit import AuditAction
from schemas.errors import RetryLater
from schemas.formats.custom import Custom
from schemas.formats.registry import FORMATS
from schemas.formats.row import ImportOptions
from schemas.formats.values import currencies
from streams.commands.audited import audited
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.progress import byte_bar
from streams.importing.conversion import AUTO, Converted, kinds
from streams.importing.kafka_import import open_import
from streams.importing.report import ImportReport
from streams.importing.request import ImportRequest
from streams.importing.writing import write_lines
from streams.options import with_settings
from streams.settings import Settings


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
    "--to-kafka",
    is_flag=True,
    help="Write to the input topics in transactions. The same command continues an interrupted import.",
)
@click.option("--restart", is_flag=True, help="With --to-kafka, write again what was written before.")
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
@with_settings
def import_events(
    settings: Settings,
    name: str,
    files: tuple[str, ...],
    output: str,
    to_kafka: bool,
    restart: bool,
    mapping: Path | None,
    check: bool,
    encoding: str | None,
    **values: Any,
) -> None:
    """Turn FILES of other systems into events, one JSON object per line, or into records on Kafka.

    FORMAT is a name of --list, or `auto`. - is standard input. Compressed files and zip archives are
    unpacked.

    Each event is checked by the worker's own codec: what is written, the worker accepts. Rows without a
    valid event are counted and reported. Exits 1 if all rows are rejected, or a file cannot be read to its
    end.
    """
    if (name == Custom.name) != (mapping is not None):
        raise click.UsageError(f"--mapping FILE and the format `{Custom.name}` belong together.")
    if restart and not to_kafka:
        raise click.UsageError("--restart is for --to-kafka.")
    if to_kafka and (check or output != "-"):
        raise click.UsageError("--to-kafka writes to Kafka: leave out --check and --output.")
    request = ImportRequest(name, files, _options(values), mapping, encoding)
    report, started = ImportReport(), perf_counter()
    try:
        with byte_bar(f"importing {name}", request.size()) as advance:
            events = request.events(report, advance)
            if to_kafka:
                done = _to_kafka(settings, request, events, restart)
            else:
                done = _to_lines(events, output, check)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    finally:
        # Also what was read before a file that cannot be read to its end.
        for line in report.lines() if report.rows else []:
            print_to_stderr(line)
    if done:
        print_to_stderr(f"{done} in {perf_counter() - started:.1f} s")
    if not report.rows:
        raise click.ClickException(
            f"nothing of the format {name} was found; --list shows what each one takes"
        )
    if report.rejected == report.rows:
        raise SystemExit(1)


def _to_lines(events: Iterable[Converted], output: str, check: bool) -> str:
    """Write events as lines, or none at all. Returns what was done; empty for a check."""
    if check:
        for _ in events:
            pass
        return ""
    written = write_lines((each.value for each in events), output)
    if written:
        return f"{written:,} events written to {'standard output' if output == '-' else output}"
    if output != "-":
        print_to_stderr(f"nothing to write; {output} stays as it is")
    return ""


def _to_kafka(settings: Settings, request: ImportRequest, events: Iterable[Converted], restart: bool) -> str:
    """Write events to Kafka, those that an earlier run wrote left out. Returns what was done."""
    identity = request.identity() or uuid.uuid4().hex[:12]
    with (
        audited(settings, AuditAction.IMPORT) as counts,
        open_import(settings, identity, request.format, restart) as target,
    ):
        before = target.position
        if before:
            print_to_stderr(f"continues after {before:,} events of an earlier run (--restart begins anew)")
        try:
            for position in target.write(events):
                counts["events"] = position - before
        except (KeyboardInterrupt, RetryLater):
            again = "; the same command continues there" if request.identity() else ""
            print_to_stderr(f"stopped after {target.position:,} events{again}")
            raise
        return f"{target.position - before:,} events written to Kafka at {settings.bootstrap_servers}"


def _options(values: dict[str, Any]) -> ImportOptions:
    currency = values.pop("currency")
    if currency is not None:
        currency = currency.upper()
        if currency not in currencies():
            raise click.UsageError(f"--currency {currency} is no ISO 4217 code, such as EUR")
    return ImportOptions(currency=currency, now=datetime.now(UTC), **values)
