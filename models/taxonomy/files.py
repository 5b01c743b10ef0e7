"""Reads category trees from files in four formats, and reports all problems of a file.

The first line decides the format: a header with tabs or commas, a JSON object, or Google's lines
`id - A > B > C`. Ids are whole numbers, as in events. No id is generated, because a generated id would change
whenever the tree grows.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import StopWorker

SEPARATOR = " > "
MAX_LEVELS = 12
MAX_NAME = 200
MAX_CATEGORIES = 50_000
_MOST_REPORTED = 10
# Readers that keep numbers as doubles, such as browsers, represent only 15 digits exactly.
_ID = re.compile(r"[0-9]{1,15}")
_NAME_COLUMN = re.compile(r"name[:_]([a-z]{2,3}(?:-[a-z0-9]{2,8})*)")
_COLUMNS = "`id`, `path`, `code`, `google_id`, `name:LANG` such as `name:zh`, and `examples`"
_FORMATS = (
    f"a header with {_COLUMNS} over tab- or comma-separated lines, JSON lines with these keys, "
    "or lines `id - A > B > C`"
)


class CategoryRow(NamedTuple):
    """One category of a file.

    Attributes:
        line: The line number, from 1.
        id: The category's id in the tree.
        names: The names from the root to the category.
        translations: The category's own name by language code.
        examples: Titles of the category's products.
        code: What the tree's owner calls the category, such as `aa-1-4`; empty without one.
        google_id: The id of Google's category of the same products; None without one.
    """

    line: int
    id: int
    names: tuple[str, ...]
    translations: dict[str, str]
    examples: tuple[str, ...]
    code: str = ""
    google_id: int | None = None


def read_rows(path: Path) -> list[CategoryRow]:
    """Read the categories of a file, in its order.

    Args:
        path: A UTF-8 file, with or without a byte order mark, with any line endings; gzipped if it ends in
            `.gz`.

    Raises:
        StopWorker: The file cannot be read or is no tree. The message lists lines, problems and remedies.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise StopWorker(f"Cannot read the category tree {path}: {error}. Give a UTF-8 file.") from error
    problems: list[str] = []
    rows = []
    try:
        for line, fields in _records(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
            row = _row(line, fields, problems)
            if row is not None:
                rows.append(row)
    except (ValueError, csv.Error) as error:
        raise StopWorker(f"{path}, {error}. A category tree is {_FORMATS}.") from error
    problems += _contradictions(rows)
    if not rows and not problems:
        problems.append(f"it holds no category; give {_FORMATS}")
    if problems:
        reported = "".join(f"\n  - {problem}" for problem in problems[:_MOST_REPORTED])
        hidden = len(problems) - _MOST_REPORTED
        more = f"\n  - and {hidden:,} more" if hidden > 0 else ""
        raise StopWorker(f"{path} is no category tree:{reported}{more}")
    return rows


def _records(lines: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers and fields.

    Raises:
        ValueError: A line has another format; the message names it.
    """
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
    # Imported here, because `make bench-gpu` runs on machines without it.
    import orjson

    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"line {number}: no JSON object: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"line {number}: no JSON object: {line[:80]!r}")  # noqa: TRY004 - of the file
    _check_columns(number, list(fields))
    return fields


def _table(lines: list[str], start: int, *, tabs: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers and fields of a table.

    Tab-separated fields are read as they are. A comma-separated field may be quoted and contain line ends.

    Raises:
        ValueError: A line does not fit the header; the message names it.
    """
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
    """The category of one line; None, with a problem added, if the line has none."""
    identifier = fields.get("id")
    digits = "" if identifier is None or isinstance(identifier, bool) else str(identifier).strip()
    if not _ID.fullmatch(digits):
        problems.append(
            f"line {line}: the id {str(identifier)[:40]!r} is no whole number of at most 15 digits, as "
            "events need it; number the categories, and keep your own codes beside the numbers"
        )
        return None
    path = fields.get("path")
    names = tuple(" ".join(name.split()) for name in path.split(">")) if isinstance(path, str) else ("",)
    if problem := _path_problem(names):
        problems.append(f"line {line}: the path {str(path)[:80]!r} {problem}")
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
    google_id = str(fields.get("google_id") or "").strip()
    if google_id and not _ID.fullmatch(google_id):
        problems.append(
            f"line {line}: the google_id {google_id[:40]!r} is no id of Google's product taxonomy"
        )
        return None
    kept = tuple(dict.fromkeys(title.strip() for title in titles if title.strip()))
    code = str(fields.get("code") or "").strip()[:MAX_NAME]
    return CategoryRow(
        line, int(digits), names, translations, kept, code, int(google_id) if google_id else None
    )


def _path_problem(names: tuple[str, ...]) -> str:
    """The problem of a path, as the rest of a sentence; empty if there is none."""
    if not all(names):
        return "has an empty name; write names from the root down, separated by >"
    if len(names) > MAX_LEVELS:
        return f"has {len(names)} levels; {MAX_LEVELS} are the most"
    if any(len(name) > MAX_NAME for name in names):
        return f"has a name of more than {MAX_NAME} characters"
    return ""


def _contradictions(rows: list[CategoryRow]) -> list[str]:
    """The problems that concern several lines: duplicates, missing parents, too many categories."""
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
