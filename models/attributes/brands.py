"""The brand names that a model learnt: how titles start, and how the brand is written."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from models.attributes.quantities import Found
from models.shipped import PRETRAINED
from models.text.cleaning import fold

_SHIPPED_PROMOTIONS = PRETRAINED / "lexicons" / "promotions.txt"
_BRAND_WORD = re.compile(r"[a-z0-9][a-z0-9'&.]*|&")
_READ = 120
_CHINESE_READ = 24
_MOST_PROMOTIONS = 6
_NO_BRAND = frozenset(
    [
        *(
            "na",
            "n/a",
            "none",
            "no brand",
            "unknown",
            "unbranded",
            "generic",
            "not specified",
            "other",
            "others",
        ),
        *("other/其他", "other其他", "其他", "其他品牌", "其他/other", "无", "无品牌"),
        *("regular", "slim", "regular fit", "slim fit"),
    ]
)


def read_brands(path: Path) -> dict[str, str]:
    """Names by folded form, from `form<TAB>name` lines."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {form: name for form, name, *_ in rows}


def write_brands(path: Path, brands: Mapping[str, str]) -> None:
    """Write names by folded form, sorted."""
    path.write_text("".join(f"{form}\t{name}\n" for form, name in sorted(brands.items())), encoding="utf-8")


def brand_key(folded: str) -> str:
    """The form of a Latin brand that brands are compared by: its words, single spaces."""
    return " ".join(_BRAND_WORD.findall(folded))


def is_brand(text: str) -> bool:
    """Whether a shop's brand field says a brand, rather than `other`, a fit or nothing."""
    folded = fold(text.strip())
    return bool(folded) and len(folded) <= 80 and folded not in _NO_BRAND


class BrandFinder:
    """Finds the known brand that a title starts with, after words that only advertise (`NEW`, `包邮`).

    Args:
        brands: Names by their folded form.
        precision: The measured precision of such brands.
    """

    def __init__(self, brands: Mapping[str, str], precision: float) -> None:
        self._brands, self._precision = brands, precision
        self._longest = max((len(form.split()) for form in brands), default=0)
        self._chinese = _alternation(form for form in brands if not form.isascii())
        promotions = _SHIPPED_PROMOTIONS.read_text(encoding="utf-8").splitlines()
        self._promotions = frozenset(word for form in promotions for word in form.split())
        self._chinese_promotion = _alternation(form for form in promotions if not form.isascii())

    def advertises(self, folded: str) -> bool:
        """Whether a text only advertises, so that it is no brand."""
        rest = folded if self._chinese_promotion is None else self._chinese_promotion.sub("", folded)
        return all(word in self._promotions for word in rest.split())

    def find(self, folded: str) -> list[Found]:
        """The longest known brand at the start of a folded title; a Chinese one may follow a few signs."""
        spans = [match.span() for match in _BRAND_WORD.finditer(folded[:_READ])]
        for first in range(min(len(spans), _MOST_PROMOTIONS)):
            if first == 0 and not self._starts(folded[: spans[0][0]]):
                break
            if found := self._at(folded, spans[first : first + self._longest]):
                return found
            if folded[slice(*spans[first])] not in self._promotions:
                break
        # What follows "fits" is the brand of something else.
        if self._chinese is None or folded.isascii() or folded.startswith("适用"):
            return []
        match = self._chinese.search(folded, 0, _CHINESE_READ + self._promoted(folded))
        return [self._found(match.group(), *match.span())] if match else []

    def _at(self, folded: str, spans: list[tuple[int, int]]) -> list[Found]:
        for last in range(len(spans) - 1, -1, -1):
            start, end = spans[0][0], spans[last][1]
            if (form := brand_key(folded[start:end])) in self._brands:
                return [self._found(form, start, end)]
        return []

    def _found(self, form: str, start: int, end: int) -> Found:
        return Found("brand", self._brands[form], start, end, self._precision)

    def _starts(self, before: str) -> bool:
        """Whether what stands before the first Latin word leaves it the start: two signs, or adverts."""
        if len(before) <= 2 or self._chinese_promotion is None:
            return len(before) <= 2
        return not any(map(str.isalnum, self._chinese_promotion.sub("", before)))

    def _promoted(self, folded: str) -> int:
        """How many of the first characters advertise in Chinese."""
        if self._chinese_promotion is None:
            return 0
        return sum(len(text) for text in self._chinese_promotion.findall(folded[: 2 * _CHINESE_READ]))


def _alternation(forms: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
