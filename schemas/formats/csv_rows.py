"""Delimited tables, row by row. The delimiter is that of the header, and a bad row stays one bad row."""

import csv
from collections.abc import Callable, Collection, Iterator
from io import TextIOWrapper
from typing import BinaryIO, TextIO, cast

from schemas.errors import InvalidFile
from schemas.formats.joined import NotClosed
from schemas.formats.row import Row

DELIMITERS = "\t,;|"
MAX_CELL = 16 * 1024 * 1024
"""Longest cell. A longer one is an opened quote that is never closed."""

NOT_UTF8 = "is not UTF-8; name the file's encoding, such as --encoding windows-1252"


def split_header(line: str) -> tuple[list[str], str]:
    """Split the first line of a table by the delimiter that gives the most columns.

    Args:
        line: The line, without its end.

    Returns:
        The cells and the delimiter. A line of one column is returned whole, with a comma.
    """
    best: tuple[list[str], str] = ([line], ",")
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        if len(cells) > len(best[0]):
            best = (cells, delimiter)
    return best


def csv_rows(
    stream: BinaryIO,
    *,
    header: list[str] | None = None,
    delimiter: str | None = None,
    quoted: bool = True,
    required: Collection[str] = (),
    rename: Callable[[str], str] = str.strip,
) -> Iterator[Row]:
    """Read the rows of a table.

    Args:
        stream: The table in UTF-8.
        header: Column names of a table without a header; None if the first row has them.
        delimiter: The delimiter; None for that of the header.
        required: Columns, after renaming, without which the table is not of its format.
        rename: Turns a name of the header into the column's name.
        quoted: Whether cells may be in quotation marks. If not, a quotation mark is a character.

    Yields:
        One row per record, blank ones left out. A repeated column keeps its first value.

    Raises:
        InvalidFile: A required column is missing, or a quotation mark is opened and not closed within
            `MAX_CELL` characters.
    """
    csv.field_size_limit(MAX_CELL)
    text = TextIOWrapper(
        cast(BinaryIO, NotClosed(stream)), encoding="utf-8", errors="surrogateescape", newline=""
    )
    names, found, offset = (header, ",", 0) if header is not None else _header(text)
    names = [rename(name) for name in names]
    _check_header(names, required)
    reader = csv.reader(
        text, delimiter=delimiter or found, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    )
    used: set[str] = set()
    while True:
        line = reader.line_num + offset + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidFile(
                f"line {line}: {error}; a quotation mark that is opened there may not be closed"
            ) from error
        if any(cells):
            yield _row(f"line {line}", names, cells, used)


def _check_header(names: list[str], required: Collection[str]) -> None:
    missing = [name for name in required if name not in names]
    if missing and names != [""]:
        raise InvalidFile(
            f"the header has no column {missing[0]}; it has {', '.join(names)[:300]}. Is it of this format?"
        )


def _header(text: TextIO) -> tuple[list[str], str, int]:
    """Read the first line that is not blank. Returns its cells, the delimiter, and its number."""
    line, number = "\n", 0
    while line and not line.strip():
        line = text.readline()
        number += 1
    return *split_header(line.rstrip("\r\n")), number


def _row(place: str, names: list[str], cells: list[str], used: set[str]) -> Row:
    extra = len(cells) - len(names)
    if extra > 0 and any(cells[len(names) :]):
        return Row(place, {}, used, f"has {len(cells)} cells, but the header has {len(names)} columns")
    fields: dict[str, str] = {}
    for name, cell in zip(names, cells, strict=False):
        if cell and name not in fields:
            fields[name] = cell
    if any("\udc80" <= character <= "\udcff" for cell in cells if not cell.isascii() for character in cell):
        return Row(place, {}, used, NOT_UTF8)
    return Row(place, fields, used)
