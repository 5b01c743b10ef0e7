"""The labeled texts that the student learns from, each with where it came from."""

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast
from zlib import crc32

from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.text.cleaning import clean, is_chinese
from models.training.data.near_duplicates import title_key
from schemas.errors import StopWorker

SHOPS = ("flipkart", "fashion_styles", "instacart", "openbg")
_NO_SHOPS = ("taxonomy", "teacher")
Corrections = Mapping[tuple[str, str], int]
"""Labels that a person put right: a category's index by shop and cleaned title."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labeled text.

    Attributes:
        text: The cleaned text.
        category: The label's index in the taxonomy.
        shop: The data set it is from.
        split: `train`, `calibration` or `test`, by the hash of the title's key; the same for all texts of one
            title.
        language: `en` or `zh`.
        kind: `title`, or `attributes` for a title followed by its attribute values; `name`, `synonym`,
            `example` or `word` for what comes from no shop.
        weight: How much it counts in training.
        shares: Instead of a label, a teacher's probabilities: pairs of a category's index and a share,
            summing to 1; empty where `category` is the label.
    """

    text: str
    category: int
    shop: str
    split: str
    language: str = "en"
    kind: str = "title"
    weight: float = 1.0
    shares: tuple[tuple[int, float], ...] = ()

    @property
    def labeled(self) -> bool:
        """Whether it is a product's text with a label that people or a shop gave."""
        return self.shop not in _NO_SHOPS


def shops_of(data: Path, taxonomy: Taxonomy) -> tuple[str, ...]:
    """The data sets to learn from: those of `SHOPS` for Google's tree, for another those with a mapping."""
    if taxonomy.version == GOOGLE_VERSION:
        return SHOPS
    mapped = {path.stem for path in (data / "mappings").glob("*.tsv")}
    known = [shop for shop in SHOPS if shop in mapped]
    return (*known, *sorted(mapped.difference(SHOPS))) or SHOPS


def read_shops(
    data: Path, taxonomy: Taxonomy, shops: Iterable[str] = SHOPS, corrections: Corrections | None = None
) -> list[Example]:
    """All labeled titles of the shops, each normalized title of a shop once, with the labels mapped.

    Args:
        data: The folder with `products/` and `mappings/`.
        taxonomy: The tree that the mappings point into.
        shops: Names of data sets.
        corrections: Labels that win over those of the shops.

    Raises:
        StopWorker: A file is missing; says which.
    """
    return [example for shop in shops for example in _read_shop(data, shop, taxonomy, corrections or {})]


def split_of(text: str) -> str:
    """10% `test`, 10% `calibration`, the rest `train`, by the hash of a cleaned title's key.

    So near-duplicates are together, wherever they come from.
    """
    bucket = crc32(b"split-2 " + title_key(text).encode("utf-8", "replace")) % 10
    return {0: "test", 1: "calibration"}.get(bucket, "train")


def category_examples(taxonomy: Taxonomy, weight: float) -> list[Example]:
    """Texts of the categories themselves, so that those without any product can be answered too."""
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
    """Each row of a shop that has a text and a mapped label: cleaned title, category's index, attributes.

    Raises:
        StopWorker: A file is missing; says which.
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
    """`zh` for a text with Chinese characters, else `en`."""
    return "zh" if is_chinese(text) else "en"


def _mapping(path: Path, taxonomy: Taxonomy) -> dict[str, int]:
    with open_text(path) as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    mapping: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        label, said = row.get("label"), (row.get("category_id") or row.get("google_id") or "").strip()
        if label is None or (said and not (said.isdecimal() and int(said) in taxonomy)):
            raise StopWorker(
                f"{path}, line {number}: {said!r} is no category of {taxonomy.version}. Give tab-separated "
                "columns `label` and `category_id`, an id of the tree or nothing."
            )
        if said:
            mapping[label] = taxonomy.node(int(said)).index
    return mapping


def read_rows(data: Path, source: str) -> Iterator[dict[str, Any]]:
    """The rows of a file of `products/`: tab-separated with a header, or JSON lines; gzipped or not.

    Raises:
        StopWorker: The file is missing; says which.
    """
    names = [f"{source}{form}" for form in (".tsv.gz", ".jsonl.gz", ".tsv", ".jsonl")]
    paths = [data / "products" / name for name in names]
    path = next((path for path in paths if path.exists()), paths[0])
    with open_text(path) as lines:
        if ".jsonl" in path.suffixes:
            yield from map(json.loads, lines)
        else:
            yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def products_of(data: Path, shop: str) -> Iterator[tuple[str, str, str]]:
    """Title, label and attribute text of each product."""
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
    """A text file to read, unpacked where it is packed; StopWorker says which is missing."""
    try:
        if path.suffix == ".gz":
            return cast(TextIO, gzip.open(path, "rt", encoding="utf-8", newline=""))
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise StopWorker(
            f"Training needs {path}: {error.strerror}. Give the data folder with --data."
        ) from error
