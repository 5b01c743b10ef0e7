"""Labeled titles in nine languages: 205 products in each language, and more in Portuguese."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from models.taxonomy.tree import Taxonomy

_FILE = Path(__file__).parent / "data" / "written_languages.tsv"


@dataclass(frozen=True, slots=True)
class LanguageTitle:
    """A title with its category.

    Attributes:
        title: The title, raw.
        category: The index of its category, of level 1 or 2.
        language: The title's language.
        is_development: Whether thresholds may be learned on it. A hash decides, once for all languages of a
            product; titles in one language alone were written later and are never used to learn.
    """

    title: str
    category: int
    language: str
    is_development: bool


def language_titles(taxonomy: Taxonomy) -> list[LanguageTitle]:
    """Read the titles.

    Args:
        taxonomy: Google's taxonomy of 2021-09-21.
    """
    header, *rows = [line.split("\t") for line in _FILE.read_text(encoding="utf-8").splitlines()]
    return [
        LanguageTitle(
            title,
            taxonomy.node(int(number)).index,
            language,
            all(titles) and int(sha256(titles[0].encode()).hexdigest(), 16) % 2 == 0,
        )
        for number, *titles in rows
        for language, title in zip(header[1:], titles, strict=True)
        if title
    ]
