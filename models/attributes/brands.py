"""Finds the brands of a model in titles, and checks and names the brands of brand fields."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from models.attributes.attribute_match import AttributeMatch
from models.shipped import PRETRAINED
from models.text.cleaning import fold

_SHIPPED_PROMOTIONS = PRETRAINED / "lexicons" / "promotions.txt"
_SHIPPED_ORDINARY_WORDS = PRETRAINED / "lexicons" / "ordinary_words.txt"
_BRAND_WORD = re.compile(r"[a-z0-9][a-z0-9'&.]*|&")
_SEARCHED_CHARACTERS = 120
_SEARCHED_CHINESE_CHARACTERS = 24
_MAX_PROMOTIONS = 6
_BRAND_EVIDENCE = re.compile(
    r"\s*(?:men|mens|women|womens|boys|girls|unisex|kids)(?:'s)?\b"
    r"|\s+(?:iphone|ipad|ipod|macbook|imac|mac|watch|airpods?|airport|tv|magic|time|final|logic|studio)\b"
)
"""What follows a brand whose name is an ordinary word (`ONLY Women Black Top`, `Apple iPhone`)."""
_OTHER_NAMES = {"MIUI": "Xiaomi"}
"""Names under which shops list a brand that has another one."""
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
    """Read brands from `form<TAB>name` lines.

    Returns:
        The name by its folded form.
    """
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {form: name for form, name, *_ in rows}


def write_brands(path: Path, brands: Mapping[str, str]) -> None:
    """Write brands as sorted `form<TAB>name` lines.

    Args:
        path: The file to write.
        brands: The name by its folded form.
    """
    path.write_text("".join(f"{form}\t{name}\n" for form, name in sorted(brands.items())), encoding="utf-8")


def brand_key(folded: str) -> str:
    """Return the key by which Latin brands are compared: the words, with single spaces."""
    return " ".join(_BRAND_WORD.findall(folded))


def is_brand(text: str) -> bool:
    """Whether a shop's brand field names a brand, rather than `other`, a fit or nothing."""
    folded = fold(text.strip())
    return bool(folded) and len(folded) <= 80 and folded not in _NO_BRAND


def brand_name(name: str) -> str:
    """Return the one name of a brand: the Latin one of `Nike/耐克`, whose parts name the same brand."""
    parts = [part.strip() for part in name.split("/")]
    latin = [_OTHER_NAMES.get(part, part) for part in parts if part.isascii() and any(map(str.isalpha, part))]
    return (
        latin[0] if len(parts) == 2 and len(latin) == 1 and not all(map(str.isascii, parts)) else name.strip()
    )


class BrandFinder:
    """Finds a known brand at the start of a title, after promotional words (`NEW`, `包邮`).

    A brand whose name is an ordinary word (`Cocktail`, `Only`, `苹果`) needs evidence after it.

    Args:
        brands: The name by its folded form.
        precision: The measured precision of brands found this way, which is their confidence.
    """

    def __init__(self, brands: Mapping[str, str], precision: float) -> None:
        self._brands, self._precision = {form: brand_name(name) for form, name in brands.items()}, precision
        self._ordinary = frozenset(_SHIPPED_ORDINARY_WORDS.read_text(encoding="utf-8").splitlines())
        self._longest = max((len(form.split()) for form in brands), default=0)
        self._chinese = _alternation(
            form for form in brands if not form.isascii() and form not in self._ordinary
        )
        promotions = _SHIPPED_PROMOTIONS.read_text(encoding="utf-8").splitlines()
        self._promotions = frozenset(word for form in promotions for word in form.split())
        self._chinese_promotion = _alternation(form for form in promotions if not form.isascii())

    def is_promotion(self, folded: str) -> bool:
        """Whether a text consists of promotional words only, so that it is not a brand."""
        rest = folded if self._chinese_promotion is None else self._chinese_promotion.sub("", folded)
        return all(word in self._promotions for word in rest.split())

    def find(self, folded: str) -> list[AttributeMatch]:
        """Find the longest known brand at the start of a title; a Chinese brand may follow a few characters.

        Args:
            folded: The title as `models.text.cleaning.fold` returns it.

        Returns:
            One match, or none.
        """
        spans = [match.span() for match in _BRAND_WORD.finditer(folded[:_SEARCHED_CHARACTERS])]
        for first in range(min(len(spans), _MAX_PROMOTIONS)):
            if first == 0 and not self._is_start(folded[: spans[0][0]]):
                break
            if matches := self._longest_at(folded, spans[first : first + self._longest]):
                return matches
            if folded[slice(*spans[first])] not in self._promotions:
                break
        # `适用` ("fits") precedes the brand of another product.
        if self._chinese is None or folded.isascii() or folded.startswith("适用"):
            return []
        match = self._chinese.search(folded, 0, _SEARCHED_CHINESE_CHARACTERS + self._promotion_length(folded))
        return [self._match(match.group(), *match.span())] if match else []

    def _longest_at(self, folded: str, spans: list[tuple[int, int]]) -> list[AttributeMatch]:
        for last in range(len(spans) - 1, -1, -1):
            start, end = spans[0][0], spans[last][1]
            if (form := brand_key(folded[start:end])) in self._brands:
                is_brand_here = form not in self._ordinary or _BRAND_EVIDENCE.match(folded, end)
                return [self._match(form, start, end)] if is_brand_here else []
        return []

    def named(self, brand: str) -> str:
        """Return the one name of a given brand: a known brand's name, or the brand as given.

        Args:
            brand: A brand field's value.
        """
        name = brand_name(brand)
        folded = fold(name)
        return self._brands.get(brand_key(folded) if folded.isascii() else folded, name)

    def _match(self, form: str, start: int, end: int) -> AttributeMatch:
        return AttributeMatch("brand", self._brands[form], start, end, self._precision)

    def _is_start(self, before: str) -> bool:
        """Whether the text before the first Latin word is at most two characters, or promotional."""
        if len(before) <= 2 or self._chinese_promotion is None:
            return len(before) <= 2
        return not any(map(str.isalnum, self._chinese_promotion.sub("", before)))

    def _promotion_length(self, folded: str) -> int:
        """Return the number of Chinese promotional characters near the start."""
        if self._chinese_promotion is None:
            return 0
        return sum(
            len(text) for text in self._chinese_promotion.findall(folded[: 2 * _SEARCHED_CHINESE_CHARACTERS])
        )


def _alternation(forms: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
