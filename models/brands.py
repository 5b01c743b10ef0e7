"""The brand names that a model learnt: how titles start, and how the brand is written."""

from collections.abc import Mapping
from pathlib import Path


def read_brands(path: Path) -> dict[str, str]:
    """Names by folded form, from `form<TAB>name` lines."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {form: name for form, name, *_ in rows}


def write_brands(path: Path, brands: Mapping[str, str]) -> None:
    """Write names by folded form, sorted."""
    path.write_text("".join(f"{form}\t{name}\n" for form, name in sorted(brands.items())), encoding="utf-8")
