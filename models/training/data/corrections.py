"""Suggested label corrections: the table that a person reviews, and the corrections that were accepted."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from models.taxonomy.tree import Node, Taxonomy
from schemas.errors import StopWorker

COLUMNS = ("shop", "title", "label", "suggested", "confidence", "reason", "accept")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A label that may be wrong.

    Attributes:
        shop: Name of the data set.
        title: Cleaned title.
        label: Index of the category that the shop's label maps to.
        suggested: Index of the suggested category; -1 if there is no suggestion.
        confidence: Confidence in the suggestion, in [0, 1].
        reason: Explanation for the reviewer.
    """

    shop: str
    title: str
    label: int
    suggested: int
    confidence: float
    reason: str


def write_suggestions(target: TextIO, suggestions: Iterable[Suggestion], taxonomy: Taxonomy) -> None:
    """Write suggestions as a tab-separated table with an empty column `accept`.

    Args:
        target: Text file to write to.
        suggestions: Rows of the table.
        taxonomy: Category tree. Categories are written as `id - A > B > C`.
    """
    rows = csv.writer(target, dialect="excel-tab", lineterminator="\n")
    rows.writerow(COLUMNS)
    for each in suggestions:
        suggested = format_category(taxonomy.nodes[each.suggested]) if each.suggested >= 0 else ""
        label = format_category(taxonomy.nodes[each.label])
        rows.writerow([each.shop, each.title, label, suggested, f"{each.confidence:.3f}", each.reason, ""])


def format_category(node: Node) -> str:
    """A category as the table shows it: `id - A > B > C`."""
    return f"{node.id} - {node.path}"


def read_corrections(path: Path, taxonomy: Taxonomy) -> dict[tuple[str, str], int]:
    """Read the accepted corrections of a reviewed table.

    Only rows whose `accept` is `yes` count. The reviewer may edit `suggested`; an id without a path is
    enough. If `accept` is empty or `no`, the label stays as it is.

    Args:
        path: Table from `shelfstream labels check`, reviewed by a person.
        taxonomy: Category tree that the model is trained for.

    Returns:
        Index of the category by shop and cleaned title.

    Raises:
        StopWorker: The file cannot be read, or a row is invalid. The message names the line.
    """
    accepted: dict[tuple[str, str], int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, dialect="excel-tab")
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise StopWorker(f"{path} lacks columns: it should have {', '.join(COLUMNS)}.")
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if not _accepted(row["accept"], where):
                    continue
                key = row["shop"], row["title"]
                category = _category(row["suggested"], taxonomy, where)
                if accepted.setdefault(key, category) != category:
                    raise StopWorker(f"{where}: another row accepts another category for {key[1]!r}.")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StopWorker(f"Cannot read {path}: {error}. Give a tab-separated file in UTF-8.") from error
    return accepted


def _accepted(value: str | None, where: str) -> bool:
    answer = (value or "").strip().lower()
    if answer not in ("", "yes", "no"):
        raise StopWorker(f"{where}: `accept` is {answer!r}; write yes, no or nothing.")
    return answer == "yes"


def _category(text: str | None, taxonomy: Taxonomy, where: str) -> int:
    number = (text or "").partition(" - ")[0].strip()
    if not number.isdecimal() or int(number) not in taxonomy:
        raise StopWorker(
            f"{where}: `suggested` names no category of {taxonomy.version}; begin it with an id."
        )
    return taxonomy.node(int(number)).index
