"""The labeled texts that the student is trained on, read from the data folder."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast
from zlib import crc32

import orjson

from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.text.cleaning import clean, is_chinese
from models.training.data.near_duplicates import title_key
from schemas.errors import StopWorker

SHOPS = ("flipkart", "fashion_styles", "instacart", "openbg")
"""Names of the data sets for Google's taxonomy."""
_NO_SHOPS = ("taxonomy", "teacher")
Corrections = Mapping[tuple[str, str], int]
"""Corrected labels: index of a category by shop and cleaned title."""


@dataclass(frozen=True, slots=True)
class Example:
    """One training or evaluation text with its label.

    Attributes:
        text: Cleaned text.
        category: Index of the label in the taxonomy.
        shop: Name of the data set that the text is from.
        split: `train`, `calibration` or `test`, by the hash of the title's key. All texts of one title have
            the same split.
        language: `en` or `zh`.
        kind: `title`, or `attributes` for a title followed by its attribute values; `name`, `synonym`,
            `example` or `word` for texts that are from no shop.
        weight: Weight of the text in the training loss.
        probabilities: Soft label of a teacher: pairs of a category's index and its probability, which sum
            to 1. Empty if `category` is a hard label.
    """

    text: str
    category: int
    shop: str
    split: str
    language: str = "en"
    kind: str = "title"
    weight: float = 1.0
    probabilities: tuple[tuple[int, float], ...] = ()

    @property
    def labeled(self) -> bool:
        """Whether the text is a product's, with a label from a person or a shop."""
        return self.shop not in _NO_SHOPS


def shops_of(data: Path, taxonomy: Taxonomy) -> tuple[str, ...]:
    """Names of the data sets to train on.

    Args:
        data: Folder with `products/` and `mappings/`.
        taxonomy: Category tree that the mappings point into.

    Returns:
        `SHOPS` for Google's taxonomy; for another taxonomy the shops that have a mapping.
    """
    if taxonomy.version == GOOGLE_VERSION:
        return SHOPS
    mapped = {path.stem for path in (data / "mappings").glob("*.tsv")}
    known = [shop for shop in SHOPS if shop in mapped]
    return (*known, *sorted(mapped.difference(SHOPS))) or SHOPS


def read_shops(
    data: Path, taxonomy: Taxonomy, shops: Iterable[str] = SHOPS, corrections: Corrections | None = None
) -> list[Example]:
    """Read the labeled titles of shops, with the shops' labels mapped to the taxonomy.

    Args:
        data: Folder with `products/` and `mappings/`.
        taxonomy: Category tree that the mappings point into.
        shops: Names of data sets.
        corrections: Labels that replace those of the shops.

    Returns:
        One example per shop and cleaned title, and a second one if the product has attributes.

    Raises:
        StopWorker: A file is missing or malformed.
    """
    return [example for shop in shops for example in _read_shop(data, shop, taxonomy, corrections or {})]


def split_of(text: str) -> str:
    """The split of a cleaned title: 10% `test`, 10% `calibration`, the rest `train`.

    The hash of the title's key decides, so near-duplicates are in the same split, whatever their shop.
    """
    bucket = crc32(b"split-2 " + title_key(text).encode("utf-8", "replace")) % 10
    return {0: "test", 1: "calibration"}.get(bucket, "train")


def category_examples(taxonomy: Taxonomy, weight: float) -> list[Example]:
    """Names, paths, synonyms and example titles of the categories, as training examples.

    They let the student predict categories that no training product has.

    Args:
        taxonomy: Category tree.
        weight: Weight of each name and synonym in the training loss. Example titles have weight 1.
    """
    examples = []
    for node in taxonomy.nodes:
        parent = taxonomy.nodes[node.parent].name if node.parent >= 0 else ""
        texts = {clean(node.name), clean(f"{parent} {node.name}"), clean(" ".join(node.names))}
        examples += [
            Example(text, node.index, "taxonomy", "train", "en", "name", weight) for text in sorted(texts)
        ]
        for language, name in node.translations.items():
            above = taxonomy.nodes[node.parent].translations.get(language, "") if node.parent >= 0 else ""
            examples += [
                Example(text, node.index, "taxonomy", "train", language, "name", weight)
                for text in sorted({clean(name), clean(f"{above} {name}")})
            ]
        examples += [
            Example(clean(text), node.index, "taxonomy", "train", language, "synonym", weight)
            for language, text in node.synonyms
        ]
        examples += [
            Example(clean(title), node.index, "taxonomy", "train", language_of(title), "example")
            for title in node.examples
        ]
    return examples


def labeled_rows(data: Path, shop: str, taxonomy: Taxonomy) -> Iterator[tuple[str, int, str]]:
    """Iterate over the rows of a shop that have a title and a mapped label.

    Yields:
        Cleaned title, index of the category, and attribute text.

    Raises:
        StopWorker: A file is missing or malformed.
    """
    mapping = _mapping(data / "mappings" / f"{shop}.tsv", taxonomy)
    for title, label, attributes in products_of(data, shop):
        text = clean(title)
        category = mapping.get(label)
        if category is not None and text:
            yield text, category, attributes


def _read_shop(data: Path, shop: str, taxonomy: Taxonomy, corrections: Corrections) -> Iterator[Example]:
    seen: set[str] = set()
    for text, label, attributes in labeled_rows(data, shop, taxonomy):
        if text in seen:
            continue
        seen.add(text)
        category = corrections.get((shop, text), label)
        language = "zh" if shop == "openbg" else language_of(text)
        yield Example(text, category, shop, split_of(text), language)
        if attributes:
            longer = f"{text} {clean(attributes)}"
            yield Example(longer, category, shop, split_of(text), language, "attributes")


def language_of(text: str) -> str:
    """`zh` for a text with Chinese characters, otherwise `en`."""
    return "zh" if is_chinese(text) else "en"


def _mapping(path: Path, taxonomy: Taxonomy) -> dict[str, int]:
    with open_text(path) as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    mapping: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        label = row.get("label")
        category_id = (row.get("category_id") or row.get("google_id") or "").strip()
        if label is None or (category_id and not (category_id.isdecimal() and int(category_id) in taxonomy)):
            raise StopWorker(
                f"{path}, line {number}: {category_id!r} is no category of {taxonomy.version}. Give "
                "tab-separated columns `label` and `category_id`, an id of the tree or nothing."
            )
        if category_id:
            mapping[label] = taxonomy.node(int(category_id)).index
    return mapping


def read_rows(data: Path, source: str) -> Iterator[dict[str, Any]]:
    """Iterate over the rows of a file in `products/`.

    The file is tab-separated with a header, or JSON lines, and may be gzipped.

    Args:
        data: Folder with `products/`.
        source: Name of the file without its extension.

    Raises:
        StopWorker: The file is missing.
    """
    names = [f"{source}{extension}" for extension in (".tsv.gz", ".jsonl.gz", ".tsv", ".jsonl")]
    paths = [data / "products" / name for name in names]
    path = next((path for path in paths if path.exists()), paths[0])
    with open_text(path) as lines:
        if ".jsonl" in path.suffixes:
            yield from map(orjson.loads, lines)
        else:
            yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def products_of(data: Path, shop: str) -> Iterator[tuple[str, str, str]]:
    """Iterate over title, label and attribute text of each product of a shop.

    Raises:
        StopWorker: The file is missing, or a product has no title or label.
    """
    for row in read_rows(data, shop):
        values = " ".join(f"{name} {value}" for name, value in row.get("attributes") or ())
        try:
            label = row["category_path"] if "category_path" in row else f"{row['coarse']} > {row['fine']}"
            yield row["title"], label, values
        except KeyError as error:
            raise StopWorker(
                f"A product of {shop} has no {error}: give `title` and `category_path`."
            ) from error


def open_text(path: Path) -> TextIO:
    """Open a text file of the data folder, decompressed if its name ends with `.gz`.

    Raises:
        StopWorker: The file cannot be opened.
    """
    try:
        if path.suffix == ".gz":
            return cast(TextIO, gzip.open(path, "rt", encoding="utf-8", newline=""))
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise StopWorker(
            f"Training needs {path}: {error.strerror}. Give the data folder with --data."
        ) from error
