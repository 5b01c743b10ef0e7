"""Identifiers use the glossary's words: the words of its last column, and other coined ones, stay out."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "streams", "schemas", "benchmarks", "tests")
COINED = {"anew", "familiar", "forgive", "goodbye", "hears", "homeless", "learnt", "told"}
"""Coined words of earlier versions that stand for no single term of the glossary."""
ALLOWED: dict[str, str] = {}
"""Identifiers that may contain such a word, each with the reason."""


def glossary() -> set[str]:
    """The words and phrases of the glossary's last columns; a phrase is joined by underscores."""
    found: set[str] = set()
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[0] != "term" and not cells[0].startswith("-"):
            found |= {"_".join(re.findall(r"[a-z]+", phrase.lower())) for phrase in cells[3].split(",")}
    return found - {""}


def parts(identifier: str) -> str:
    """The lower-case words of an identifier, between underscores: `_way_back_` for `WayBack`."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)
    return f"_{'_'.join(word.lower() for word in words)}_"


def identifiers(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the names that a module defines, with their lines."""
    yield path.stem, 1
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def coined_words(identifier: str, words: set[str]) -> list[str]:
    """The coined words in an identifier."""
    return [word for word in sorted(words) if f"_{word}_" in parts(identifier)]


@pytest.mark.parametrize("package", PACKAGES)
def test_identifiers_have_no_coined_word(package: str) -> None:
    words = glossary() | COINED
    found = [
        f"{path.relative_to(ROOT)}:{line} {name} ({', '.join(coined)})"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name, line in identifiers(path)
        if name not in ALLOWED and (coined := coined_words(name, words))
    ]
    assert found == []


def test_whole_parts_of_identifiers_are_compared() -> None:
    words = {"judge", "way_back", "said"}
    assert glossary() >= {"ledger", "way_back", "judge"}
    assert coined_words("FatalJudge", words) == coined_words("_judge", words) == ["judge"]
    assert coined_words("find_way_back_headers", words) == ["way_back"]
    assert coined_words("HTTPJudge2", words) == ["judge"]
    assert coined_words("judgment", words) == coined_words("aforesaid", words) == []


def test_each_exception_is_still_needed() -> None:
    names = {
        name
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name, _ in identifiers(path)
    }
    assert ALLOWED.keys() <= names
