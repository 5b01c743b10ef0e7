"""Category trees as people keep them in files: read in any of four forms, or refused with all that is wrong.

The form is told by the file's first line: a header with tabs or commas, a JSON object, or Google's lines
`id - A > B > C`. Ids are whole numbers, as events carry them. No id is ever made up: a category without a
line of its own would get another number each time that the tree grows.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.errors import StopWorker

SEPARATOR = " > "
MAX_LEVELS = 12
MAX_NAME = 200
MAX_CATEGORIES = 50_000
_MOST_TOLD = 10
# Fifteen digits, because readers that keep numbers as doubles, such as browsers, hold no more.
_ID = re.compile(r"[0-9]{1,15}")
_NAME_COLUMN = re.compile(r"name[:_]([a-z]{2,3}(?:-[a-z0-9]{2,8})*)")
_COLUMNS = "`id`, `path`, `name:LANG` such as `name:zh`, and `examples`"
_FORMS = (
    f"a header with {_COLUMNS} over tab- or comma-separated lines, JSON lines with these keys, "
    "or lines `id - A > B > C`"
)


class CategoryRow(NamedTuple):
    """One category as a file says it.

    Attributes:
        line: The line's number, from 1.
        id: The tree's own number of it.
        names: The names from the root to the category.
        translations: Its own name by language code.
        examples: Titles of its products.
    """

    line: int
    id: int
    names: tuple[str, ...]
    translations: dict[str, str]
    examples: tuple[str, ...]


def read_rows(path: Path) -> list[CategoryRow]:
    """The categories of a file, in its order.

    Args:
        path: UTF-8, with or without a byte order mark, and with any ends of lines.

    Raises:
        StopWorker: The file cannot be read, or is no tree; says the lines, what is wrong and what to do.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StopWorker(f"Cannot read the category tree {path}: {error}. Give a UTF-8 file.") from error
    problems: list[str] = []
    rows = []
    try:
        for line, fields in _records(text.split("\n")):
            row = _row(line, fields, problems)
            if row is not None:
                rows.append(row)
    except (ValueError, csv.Error) as error:
        raise StopWorker(f"{path}, {error}. A category tree is {_FORMS}.") from error
    problems += _contradictions(rows)
    if not rows and not problems:
        problems.append(f"it holds no category; give {_FORMS}")
    if problems:
        told = "".join(f"\n  - {problem}" for problem in problems[:_MOST_TOLD])
        more = f"\n  - and {len(problems) - _MOST_TOLD:,} more" if len(problems) > _MOST_TOLD else ""
        raise StopWorker(f"{path} is no category tree:{told}{more}")
    return rows


def _records(lines: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines' numbers and fields; ValueError with the line where there are none to be had."""
    start = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    head = lines[start] if start < len(lines) else ""
    if head.lstrip().startswith("{"):
        for number, line in enumerate(lines[start:], start + 1):
            if line.strip():
                yield number, _object(number, line)
    elif "\t" in head or {"id", "path"} <= set(_columns(head.split(","))):
        yield from _table(lines, start, tabs="\t" in head)
    else:
        for number, line in enumerate(lines[start:], start + 1):
            if line.strip() and not line.startswith("#"):
                identifier, dash, names = line.partition(" - ")
                if not dash:
                    raise ValueError(f"line {number}: not `id - A > B > C`: {line[:80]!r}")
                yield number, {"id": identifier, "path": names}


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"line {number}: no JSON object: {error}") from error
    _check_columns(number, list(fields))
    return fields


def _table(lines: list[str], start: int, *, tabs: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Tab-separated lines as they stand, or comma-separated ones, where a quoted field may hold line ends."""
    source = (f"{line}\n" for line in lines[start:])
    reader = csv.reader(source, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.reader(source)
    columns = _columns(next(reader))
    _check_columns(start + 1, columns)
    while True:
        number = start + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"line {number}: {error}") from error
        if len(cells) > len(columns):
            raise ValueError(f"line {number}: {len(cells)} fields, but the header has {len(columns)}")
        if any(cell.strip() for cell in cells):
            yield number, dict(zip(columns, cells, strict=False))


def _columns(cells: list[str]) -> list[str]:
    return [cell.strip().strip('"').lower() for cell in cells]


def _check_columns(number: int, columns: list[str]) -> None:
    for needed in ("id", "path"):
        if needed not in columns:
            raise ValueError(f"line {number}: there is no `{needed}` among {', '.join(columns)[:200]!r}")
    for column in columns:
        misspelt = column.startswith(("name", "example")) and column != "examples"
        if misspelt and not _NAME_COLUMN.fullmatch(column):
            raise ValueError(f"line {number}: {column[:80]!r} is none of {_COLUMNS}")


def _row(line: int, fields: dict[str, Any], problems: list[str]) -> CategoryRow | None:
    """The category of one line; None, and a problem noted, where the line says none."""
    identifier = fields.get("id")
    said = "" if identifier is None or isinstance(identifier, bool) else str(identifier).strip()
    if not _ID.fullmatch(said):
        problems.append(
            f"line {line}: the id {str(identifier)[:40]!r} is no whole number of at most 15 digits, as "
            "ids in events are; number the categories, and keep your own codes beside the numbers"
        )
        return None
    path = fields.get("path")
    names = tuple(" ".join(name.split()) for name in path.split(">")) if isinstance(path, str) else ("",)
    if why := _wrong_names(names):
        problems.append(f"line {line}: the path {str(path)[:80]!r} {why}")
        return None
    translations = {
        match[1]: " ".join(value.split())[:MAX_NAME]
        for column, value in fields.items()
        if (match := _NAME_COLUMN.fullmatch(column)) and isinstance(value, str) and value.strip()
    }
    examples = fields.get("examples") or ()
    titles = examples.split("|") if isinstance(examples, str) else examples
    if not isinstance(titles, list | tuple) or not all(isinstance(title, str) for title in titles):
        problems.append(f"line {line}: examples are titles, in a list or separated by |")
        return None
    kept = tuple(dict.fromkeys(title.strip() for title in titles if title.strip()))
    return CategoryRow(line, int(said), names, translations, kept)


def _wrong_names(names: tuple[str, ...]) -> str:
    """What is wrong with a path; empty if nothing is."""
    if not all(names):
        return "has an empty name; write names from the root down, separated by >"
    if len(names) > MAX_LEVELS:
        return f"has {len(names)} levels; {MAX_LEVELS} are the most"
    if any(len(name) > MAX_NAME for name in names):
        return f"has a name of more than {MAX_NAME} characters"
    return ""


def _contradictions(rows: list[CategoryRow]) -> list[str]:
    """What the lines say that cannot be at once."""
    problems: list[str] = []
    by_id: dict[int, CategoryRow] = {}
    by_names: dict[tuple[str, ...], CategoryRow] = {}
    for row in rows:
        first = by_id.setdefault(row.id, row)
        if first is not row:
            problems.append(f"line {row.line}: id {row.id} stands twice; line {first.line} has it too")
        same = by_names.setdefault(row.names, row)
        if same is not row and first is row:
            path = SEPARATOR.join(row.names)
            problems.append(f"line {row.line}: {path!r} is one path with two ids, {same.id} and {row.id}")
    missing = {row.names[:-1]: row for row in reversed(rows) if len(row.names) > 1}
    for parent, row in reversed(missing.items()):
        if parent not in by_names:
            problems.append(
                f"line {row.line}: the tree lacks the parent of {SEPARATOR.join(row.names)!r}; "
                f"give {SEPARATOR.join(parent)!r} a line with an id of its own"
            )
    if len(rows) > MAX_CATEGORIES:
        problems.append(f"it has {len(rows):,} categories; {MAX_CATEGORIES:,} are the most")
    return problems
