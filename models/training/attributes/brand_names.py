"""Learns brand names: the beginnings of titles that equal the brand in the shop's data."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from models.attributes.brands import brand_key, is_brand
from models.text.cleaning import clean, fold
from models.training.data.corpus import read_rows, split_of

_GENDER = re.compile(r"\b(?:men|women|boys|girls|unisex)(?:'s)?\b")
_MIN_TITLES = 2
_MIN_PREFIXES = 10
_MIN_PRECISION = 0.8


def learn_brands(data: Path) -> tuple[dict[str, str], float]:
    """Learn brand names from the shops' titles.

    Args:
        data: Folder with `products/`.

    Returns:
        Brand names by their folded form, and their precision on held-out Flipkart titles, in [0, 1].

    Raises:
        StopWorker: A data file is missing.
    """
    pairs = [(row["title"], row["brand"]) for row in read_rows(data, "flipkart") if is_brand(row["brand"])]
    training = [pair for pair in pairs if split_of(clean(pair[0])) == "train"]
    held_out = [pair for pair in pairs if split_of(clean(pair[0])) == "test"]
    brands = _reliable(training)
    precision = _precision(brands, held_out)
    return _prefixes(data) | _chinese(data) | brands, precision


def _reliable(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Brands that are correct for most of the titles that start with them."""
    starts: Counter[str] = Counter()
    matches: Counter[str] = Counter()
    spellings: dict[str, Counter[str]] = {}
    for title, brand in pairs:
        key = brand_key(fold(brand))
        spellings.setdefault(key, Counter())[brand.strip()] += 1
        starts.update(_starts(title))
        matches[key] += key in _starts(title)
    return {
        key: spellings[key].most_common(1)[0][0]
        for key, count in matches.items()
        if key and count >= _MIN_TITLES and count >= _MIN_PRECISION * starts[key]
    }


def _starts(title: str) -> set[str]:
    words = brand_key(fold(title)).split(" ")[:6]
    return {" ".join(words[:count]) for count in range(1, len(words) + 1)}


def _precision(brands: dict[str, str], pairs: Iterable[tuple[str, str]]) -> float:
    predicted = [
        (max(known, key=len), brand_key(fold(brand)))
        for title, brand in pairs
        if (known := _starts(title) & brands.keys())
    ]
    return sum(found == brand for found, brand in predicted) / max(1, len(predicted))


def _prefixes(data: Path) -> dict[str, str]:
    """Frequent prefixes of fashion titles before `Men`, `Women` and similar words."""
    counts: Counter[str] = Counter()
    for row in read_rows(data, "fashion_styles"):
        match = _GENDER.search(fold(row["title"]))
        prefix = row["title"][: match.start()].strip() if match else ""
        if (
            prefix
            and len(prefix.split()) <= 2
            and is_brand(prefix)
            and split_of(clean(row["title"])) == "train"
        ):
            counts[prefix] += 1
    return {brand_key(fold(name)): name for name, count in counts.most_common() if count >= _MIN_PREFIXES}


def _chinese(data: Path) -> dict[str, str]:
    """Both spellings of brands such as `Midea/美的`, if a title has the spelling near its beginning."""
    brands: dict[str, str] = {}
    for source in ("openbg", "openbg_attributes"):
        for row in read_rows(data, source):
            text = fold(row["title"])
            for name in {value for key, value in row["attributes"] if key == "品牌" and is_brand(value)}:
                forms = [brand_key(part) if part.isascii() else part for part in fold(name).split("/")]
                brands |= {form: name for form in forms if len(form) > 1 and form in text[:24]}
    return brands
