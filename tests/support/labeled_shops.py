"""A data folder with a few labeled titles of each shop, some of them in the test split."""

import gzip
from itertools import islice
from pathlib import Path

import orjson

from models.text.cleaning import clean
from models.training.data.corpus import split_of

TITLES = {187: "running shoes", 2169: "ceramic mug", 2073: "green tea"}
"""Words of the titles of each of Google's categories, by the category's id."""
NUMBERED = 80


def _word(number: int) -> str:
    """A distinct word for each number. Titles that differ only in numbers are near-duplicates."""
    return "no" + "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _held_out(count: int) -> list[str]:
    titles = (f"Solo ceramic mug {_word(number)}" for number in range(1000))
    return list(islice((title for title in titles if split_of(clean(title)) == "test"), count))


def write_shops(folder: Path) -> None:
    """Write `products/` and `mappings/` in the form of the data folder.

    Flipkart's listings have the brand Acme, except for two of Solo, which are in the test split.
    """
    (folder / "products").mkdir()
    (folder / "mappings").mkdir()
    rows = [
        (f"Acme {text} {_word(number)}", "Acme", str(category))
        for category, text in TITLES.items()
        for number in range(NUMBERED)
    ]
    rows += [(title, "Solo", "2169") for title in _held_out(2)]
    lines = ["id\ttitle\tbrand\tcategory_path"]
    lines += [f"{number}\t{title}\t{brand}\t{label}" for number, (title, brand, label) in enumerate(rows)]
    mapping = "label\tgoogle_id\n" + "".join(f"{category}\t{category}\n" for category in TITLES)
    for shop in ("flipkart", "fashion_styles", "instacart"):
        (folder / "products" / f"{shop}.tsv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
        (folder / "mappings" / f"{shop}.tsv").write_text(mapping, encoding="utf-8")
    products = [
        {
            "title": f"男士跑步鞋{chr(0x4E00 + number)}号",
            "attributes": [["品牌", "艾斯"]],
            "coarse": "鞋",
            "fine": "跑鞋",
        }
        for number in range(NUMBERED)
    ]
    text = b"\n".join(orjson.dumps(product) for product in products)
    (folder / "products" / "openbg.jsonl.gz").write_bytes(gzip.compress(text))
    (folder / "mappings" / "openbg.tsv").write_text("label\tgoogle_id\n鞋 > 跑鞋\t187\n", encoding="utf-8")
