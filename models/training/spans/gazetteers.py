"""Gazetteers for Chinese titles: annotated phrases, category names, and attribute values of shops."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.attributes.span_features import LONGEST_ENTRY, SLOT_BITS, entry_slots
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import fold
from models.training.data.corpus import read_rows
from models.training.spans.corpus import AnnotatedTitle

GROUPS = {
    "jd": (
        ("product", "fits_product", "part"), ("brand",), ("fits_brand",),
        ("model", "fits_model", "fits_code"),
        ("colour",), ("function", "feature"), ("style", "theme", "pattern"), ("audience", "usage", "place"),
        ("material", "specification"),
    ),
    "taobao": (("product",), ("brand",), ("model",), ("other",)),
}  # fmt: skip
"""Span kinds of each gazetteer, by source."""
COUNT = sum(map(len, GROUPS.values())) + 3
"""Number of gazetteers: those of `GROUPS`, category names, brands, and other attribute values."""
_BRAND_NAME = "品牌"
_FIRST_CHINESE = "\u3400"


@dataclass(frozen=True)
class Gazetteers:
    """The entries of all gazetteers by slot.

    Attributes:
        masks: Gazetteers that have an entry in each slot, shape [2 ** SLOT_BITS]; bit g is gazetteer g.
        own: Number of the only title whose annotations the slot's entries are from, or -1, shape
            [2 ** SLOT_BITS].
    """

    masks: npt.NDArray[np.uint16]
    own: npt.NDArray[np.int64]


def build_gazetteers(titles: Sequence[AnnotatedTitle], data: Path, taxonomy: Taxonomy) -> Gazetteers:
    """Build gazetteers from training titles, the taxonomy, and the shops' attributes.

    During training an entry is ignored in the only title that it is from. Otherwise every annotated phrase
    would be in a gazetteer, unlike in new titles.

    Args:
        titles: Training titles, in the order of the training.
        data: Folder with `products/`.
        taxonomy: Category tree whose Chinese names and synonyms are product nouns.
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


def _owners(titles: Sequence[AnnotatedTitle], source: str, kinds: Iterable[str]) -> dict[str, int]:
    """Phrases of some kinds, each with the number of the only title where it is annotated, or -1."""
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
    """Brands, and other attribute values with Chinese characters, of the shops."""
    brands: set[str] = set()
    values: set[str] = set()
    for source in ("openbg", "openbg_attributes"):
        for row in read_rows(data, source):
            for name, value in row["attributes"]:
                parts = {part for part in fold(value).split("/") if _fits(part)}
                if name == _BRAND_NAME:
                    brands |= parts
                else:
                    values |= {part for part in parts if max(part) >= _FIRST_CHINESE}
    return brands, values
