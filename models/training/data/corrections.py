"""Suggestions for labels that may be wrong: a table for a person to go through, and what was accepted."""

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
        shop: The data set.
        title: The cleaned title.
        label: The category's index by the shop's label.
        suggested: The index of the one that it may be; -1 where nothing speaks for any.
        confidence: In [0, 1]: how much speaks for it.
        reason: In words.
    """

    shop: str
    title: str
    label: int
    suggested: int
    confidence: float
    reason: str


def write_suggestions(target: TextIO, suggestions: Iterable[Suggestion], taxonomy: Taxonomy) -> None:
    """Write the table, tab-separated, the column `accept` empty. Categories read `id - A > B > C`."""
    rows = csv.writer(target, dialect="excel-tab", lineterminator="\n")
    rows.writerow(COLUMNS)
    for each in suggestions:
        suggested = shown(taxonomy.nodes[each.suggested]) if each.suggested >= 0 else ""
        label = shown(taxonomy.nodes[each.label])
        rows.writerow([each.shop, each.title, label, suggested, f"{each.confidence:.3f}", each.reason, ""])


def shown(node: Node) -> str:
    """A category as the table has it."""
    return f"{node.id} - {node.path}"


def read_corrections(path: Path, taxonomy: Taxonomy) -> dict[tuple[str, str], int]:
    """What a person accepted: the category's index by shop and cleaned title.

    Only rows whose `accept` is `yes` count, with what stands under `suggested`, which may have been edited;
    its path may be left out. An empty `accept`, or `no`, leaves the label as it is.

    Args:
        path: What `shelfstream labels check` wrote, gone through by a person.
        taxonomy: The tree that training is for.

    Raises:
        StopWorker: The file cannot be read, or says what cannot be followed; says the line.
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


def _accepted(word: str | None, where: str) -> bool:
    said = (word or "").strip().lower()
    if said not in ("", "yes", "no"):
        raise StopWorker(f"{where}: `accept` is {said!r}; write yes, no or nothing.")
    return said == "yes"


def _category(text: str | None, taxonomy: Taxonomy, where: str) -> int:
    number = (text or "").partition(" - ")[0].strip()
    if not number.isdecimal() or int(number) not in taxonomy:
        raise StopWorker(
            f"{where}: `suggested` names no category of {taxonomy.version}; begin it with an id."
        )
    return taxonomy.node(int(number)).index
