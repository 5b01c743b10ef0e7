"""Labeled titles to measure with: the project's own, and the held-out ones of shops that it learnt from."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.training.data.corpus import SHOPS, read_rows, read_shops
from schemas.errors import StopWorker

OWN = {"gift_shop": "gift shop", "written": "written titles"}
"""The committed sets: a file's name to what reports call the set."""
KNOWN = "known shops"
_FOLDER = Path(__file__).parent / "data"
_BRANDED = "flipkart"


@dataclass(frozen=True, slots=True)
class LabeledTitle:
    """A title with the category that it belongs to.

    Attributes:
        title: The text, as listed or as training cleans it.
        category: The label's index in the taxonomy; an inner category where more is not certain.
        source: `gift shop`, `written titles` or `known shops`.
        shop: What it is from within the source.
        language: `en` or `zh`.
        listings: How many listings its brand has in the whole shop; 0 where no brand is known.
    """

    title: str
    category: int
    source: str
    shop: str
    language: str
    listings: int = 0


def own_titles(taxonomy: Taxonomy) -> list[LabeledTitle]:
    """The committed titles, set after set.

    Raises:
        StopWorker: The taxonomy lacks a label: it is not Google's of 2021-09-21.
    """
    return [row for name, source in OWN.items() for row in _read(name, source, taxonomy)]


def known_titles(data: Path, taxonomy: Taxonomy, shops: Iterable[str] = SHOPS) -> list[LabeledTitle]:
    """The `test` split of the shops, which training never shows to a model.

    Args:
        data: The folder with `products/` and `mappings/`.
        taxonomy: The tree that the mappings point into.
        shops: Names of data sets.

    Raises:
        StopWorker: A file is missing; says which.
    """
    shops = list(shops)
    listings = _brand_sizes(data) if _BRANDED in shops else {}
    return [
        LabeledTitle(
            example.text,
            example.category,
            KNOWN,
            f"{example.shop} {example.kind}",
            example.language,
            listings.get(example.text, 0) if example.shop == _BRANDED else 0,
        )
        for example in read_shops(data, taxonomy, shops)
        if example.split == "test"
    ]


def _read(name: str, source: str, taxonomy: Taxonomy) -> list[LabeledTitle]:
    lines = (_FOLDER / f"{name}.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    for _, title, number in rows:
        if int(number) not in taxonomy:
            raise StopWorker(
                f"{title!r} of the evaluation titles is of category {number}, which {taxonomy.version} "
                "lacks: they are labeled with Google's categories."
            )
    return [
        LabeledTitle(title, taxonomy.node(int(number)).index, source, source, language)
        for language, title, number in rows
    ]


def _brand_sizes(data: Path) -> dict[str, int]:
    """By cleaned title, how many listings of the shop have the brand of the first listing so called."""
    brands: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    for row in read_rows(data, _BRANDED):
        if brand := clean(row["brand"]):
            sizes[brand] += 1
            brands.setdefault(clean(row["title"]), brand)
    return {title: sizes[brand] for title, brand in brands.items()}
