"""Fashion titles with their shop's attribute values, to evaluate the extraction from titles."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.text.cleaning import clean
from models.training.data.corpus import read_rows, split_of
from models.training.extraction_score import ExtractionScore

GOLD_COLUMNS = {"gender": "gender", "colour": "base_colour", "season": "season", "usage": "usage"}
"""Column of the shop's table for each attribute."""
_SAME = {"fall": "autumn", "fluorescent green": "lime green", "khaki": "khaki"}
_NO_GOLD = frozenset({"", "na"})
_AGE = {"boys": "kids", "girls": "kids", "men": "adult", "women": "adult"}


@dataclass(frozen=True, slots=True)
class GoldTitle:
    """A title with its correct attribute values.

    Attributes:
        title: Title.
        values: Correct value by attribute; attributes that the shop does not state are missing.
        split: `train`, `calibration` or `test`.
    """

    title: str
    values: dict[str, str]
    split: str


class AttributeScore(ExtractionScore, frozen=True, kw_only=True):
    """The score of one attribute.

    Attributes:
        name: Name of the attribute.
        titles: Number of titles whose shop states its value.
        found: Number of those titles for which a value is extracted.
        right: Number of those titles whose first extracted value is the shop's.
    """

    name: str
    titles: int

    @property
    def expected(self) -> int:
        """Return `titles`."""
        return self.titles


def read_gold(data: Path) -> list[GoldTitle]:
    """Read the fashion titles, each cleaned title once, with the usual split.

    Raises:
        StopWorker: The file is missing.
    """
    found: dict[str, GoldTitle] = {}
    for row in read_rows(data, "fashion_styles"):
        text = clean(row["title"])
        if text and text not in found:
            found[text] = GoldTitle(row["title"], dict(_values(row)), split_of(text))
    return list(found.values())


def score_titles(titles: Sequence[GoldTitle], find: Callable[[str], dict[str, str]]) -> list[AttributeScore]:
    """Score the extraction of each attribute.

    Args:
        titles: Titles with their correct values.
        find: Extracts the first value of each attribute from a title.
    """
    found = [find(title.title) for title in titles]
    scores = []
    for name in (*GOLD_COLUMNS, "age_group"):
        pairs = [
            (title.values[name], values.get(name))
            for title, values in zip(titles, found, strict=True)
            if name in title.values
        ]
        scores.append(
            AttributeScore(
                name=name,
                titles=len(pairs),
                found=sum(value is not None for _, value in pairs),
                right=sum(gold == value for gold, value in pairs),
            )
        )
    return scores


def _values(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, column in GOLD_COLUMNS.items():
        value = row[column].strip().lower()
        if value not in _NO_GOLD:
            yield name, _SAME.get(value, value)
            if name == "gender" and value in _AGE:
                yield "age_group", _AGE[value]
