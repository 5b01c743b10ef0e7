"""Gazetteers for Chinese titles: phrases that people marked, names of categories, values of shops."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.attributes.span_features import LONGEST_ENTRY, SLOT_BITS, entry_slots
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import fold
from models.training.data.corpus import read_rows
from models.training.spans.corpus import MarkedTitle

GROUPS = {
    "jd": (
        ("product", "fits_product", "part"), ("brand",), ("fits_brand",),
        ("model", "fits_model", "fits_code"),
        ("colour",), ("function", "feature"), ("style", "theme", "pattern"), ("audience", "usage", "place"),
        ("material", "specification"),
    ),
    "taobao": (("product",), ("brand",), ("model",), ("other",)),
}  # fmt: skip
"""Kinds of marked phrases that make one gazetteer, by source."""
COUNT = sum(map(len, GROUPS.values())) + 3
"""Those, then names of categories, brands, and other values of shops' attributes."""
_BRAND_NAME = "品牌"
_CHINESE_SHARE = "\u3400"


@dataclass(frozen=True)
class Gazetteers:
    """Entries by slot.

    Attributes:
        masks: Shape [2 ** SLOT_BITS]: bit g where an entry of gazetteer g is.
        own: Shape [2 ** SLOT_BITS]: the number of the only title whose marks the entries come from, else -1.
    """

    masks: npt.NDArray[np.uint16]
    own: npt.NDArray[np.int64]


def build_gazetteers(titles: Sequence[MarkedTitle], data: Path, taxonomy: Taxonomy) -> Gazetteers:
    """From training titles and what needs no marks.

    While learning, an entry must not count in the one title that it comes from: every marked phrase would
    else be known, as it never is in new titles.

    Args:
        titles: Titles to learn from, in the order in which they will be laid in a line.
        data: The folder with `products/`.
        taxonomy: Whose Chinese names and synonyms are product nouns.
    """
    masks = np.zeros(1 << SLOT_BITS, dtype=np.uint16)
    own = np.full(1 << SLOT_BITS, -1, dtype=np.int64)
    number = 0
    for source, groups in GROUPS.items():
        for kinds in groups:
            owners = _owners(titles, source, kinds)
            for phrase_slot, owner in zip(entry_slots(list(owners)).tolist(), owners.values(), strict=True):
                known = masks[phrase_slot] != 0
                own[phrase_slot] = owner if not known or own[phrase_slot] == owner else -1
                masks[phrase_slot] |= 1 << number
            number += 1
    for entries in (_category_names(taxonomy), *_shop_values(data)):
        slots = entry_slots(sorted(entries))
        masks[slots] |= 1 << number
        own[slots] = -1
        number += 1
    return Gazetteers(masks, own)


def _fits(phrase: str) -> bool:
    return 2 <= len(phrase) <= LONGEST_ENTRY and "\0" not in phrase


def _owners(titles: Sequence[MarkedTitle], source: str, kinds: Iterable[str]) -> dict[str, int]:
    """Phrases of these kinds, each with the number of the only title that has it marked, or -1."""
    owners: dict[str, int] = {}
    for number, title in enumerate(titles):
        if title.source == source:
            folded = fold(title.text)
            for phrase in {folded[start:end] for kind, start, end in title.spans if kind in kinds}:
                if _fits(phrase):
                    owners[phrase] = number if phrase not in owners else -1
    return owners


def _category_names(taxonomy: Taxonomy) -> set[str]:
    names = {text for node in taxonomy.nodes for language, text in node.synonyms if language == "zh"}
    names |= {name for node in taxonomy.nodes if (name := node.translations.get("zh"))}
    return {fold(name) for name in names if _fits(name)}


def _shop_values(data: Path) -> tuple[set[str], set[str]]:
    """Brands, and other values with Chinese characters, of the shops' own attributes."""
    brands: set[str] = set()
    values: set[str] = set()
    for source in ("openbg", "openbg_attributes"):
        for row in read_rows(data, source):
            for name, value in row["attributes"]:
                parts = {part for part in fold(value).split("/") if _fits(part)}
                if name == _BRAND_NAME:
                    brands |= parts
                else:
                    values |= {part for part in parts if max(part) >= _CHINESE_SHARE}
    return brands, values
