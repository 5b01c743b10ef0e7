"""Learning brand names: which starts of titles are the brand that the shop itself names."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from models.attributes.brands import brand_key, is_brand
from models.text.cleaning import clean, fold
from models.training.data.corpus import read_rows, split_of

_GENDER = re.compile(r"\b(?:men|women|boys|girls|unisex)(?:'s)?\b")
_LEAST_TITLES = 2
_LEAST_PREFIXES = 10
_LEAST_PRECISION = 0.8


def learn_brands(data: Path) -> tuple[dict[str, str], float]:
    """Brand names by folded form, and the share right of those that start held-out Flipkart titles.

    Args:
        data: The folder with `products/`.
    """
    pairs = [(row["title"], row["brand"]) for row in read_rows(data, "flipkart") if is_brand(row["brand"])]
    learning = [pair for pair in pairs if split_of(clean(pair[0])) == "train"]
    held_out = [pair for pair in pairs if split_of(clean(pair[0])) == "test"]
    brands = _reliable(learning)
    precision = _precision(brands, held_out)
    return _prefixes(data) | _chinese(data) | brands, precision


def _reliable(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Brands that are right for most of the titles that start with them."""
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
        if key and count >= _LEAST_TITLES and count >= _LEAST_PRECISION * starts[key]
    }


def _starts(title: str) -> set[str]:
    words = brand_key(fold(title)).split(" ")[:6]
    return {" ".join(words[:count]) for count in range(1, len(words) + 1)}


def _precision(brands: dict[str, str], pairs: Iterable[tuple[str, str]]) -> float:
    judged = [
        (max(known, key=len), brand_key(fold(brand)))
        for title, brand in pairs
        if (known := _starts(title) & brands.keys())
    ]
    return sum(found == brand for found, brand in judged) / max(1, len(judged))


def _prefixes(data: Path) -> dict[str, str]:
    """What fashion titles say before `Men`, `Women` and their like, where many say the same."""
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
    return {brand_key(fold(name)): name for name, count in counts.most_common() if count >= _LEAST_PREFIXES}


def _chinese(data: Path) -> dict[str, str]:
    """Both spellings of brands such as `Midea/美的` that titles start with."""
    brands: dict[str, str] = {}
    for source in ("openbg", "openbg_attributes"):
        for row in read_rows(data, source):
            text = fold(row["title"])
            for name in {value for key, value in row["attributes"] if key == "品牌" and is_brand(value)}:
                forms = [brand_key(part) if part.isascii() else part for part in fold(name).split("/")]
                brands |= {form: name for form in forms if len(form) > 1 and form in text[:24]}
    return brands
