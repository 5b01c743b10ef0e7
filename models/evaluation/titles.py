"""Labeled titles for evaluation: the project's own sets, and the held-out titles of the training shops."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.training.data.corpus import SHOPS, read_rows, read_shops
from schemas.errors import StopWorker

OWN = {"gift_shop": "gift shop", "written": "written titles"}
"""Name in reports of each committed set, by the name of its file."""
KNOWN = "known shops"
_FOLDER = Path(__file__).parent / "data"
_BRANDED = "flipkart"


@dataclass(frozen=True, slots=True)
class LabeledTitle:
    """A title with its category.

    Attributes:
        title: Title, raw or cleaned.
        category: Index of the label in the taxonomy; an inner category if the label is coarse.
        source: `gift shop`, `written titles` or `known shops`.
        shop: Shop and kind of text within the source.
        language: `en` or `zh`.
        listings: Number of listings of the title's brand in the whole shop; 0 if the brand is unknown.
    """

    title: str
    category: int
    source: str
    shop: str
    language: str
    listings: int = 0


def own_titles(taxonomy: Taxonomy) -> list[LabeledTitle]:
    """Read the committed titles.

    Args:
        taxonomy: Google's taxonomy of 2021-09-21.

    Raises:
        StopWorker: The taxonomy lacks the category of a title.
    """
    return [row for name, source in OWN.items() for row in _read(name, source, taxonomy)]


def known_titles(data: Path, taxonomy: Taxonomy, shops: Iterable[str] = SHOPS) -> list[LabeledTitle]:
    """Read the titles of the `test` split, which no model is trained on.

    Args:
        data: Folder with `products/` and `mappings/`.
        taxonomy: Category tree that the mappings point into.
        shops: Names of data sets.

    Raises:
        StopWorker: A file is missing or malformed.
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
    """Number of the shop's listings with the same brand, by cleaned title of its first listing."""
    brands: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    for row in read_rows(data, _BRANDED):
        if brand := clean(row["brand"]):
            sizes[brand] += 1
            brands.setdefault(clean(row["title"]), brand)
    return {title: sizes[brand] for title, brand in brands.items()}
