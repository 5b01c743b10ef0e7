"""A tiny category tree and four tiny shops in its categories, for training tests."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import orjson

from models.taxonomy.tree import Taxonomy

TREE = Taxonomy(
    "tiny-1",
    {
        1: ("Wear",),
        2: ("Wear", "Shoes"),
        3: ("Wear", "Shirts"),
        4: ("Food",),
        5: ("Food", "Milk"),
        6: ("Food", "Tea"),
    },
    {2: "鞋"},
    {2: [("en", "Sneakers"), ("zh", "球鞋")]},
)
TITLES = {
    "Shoes": ["running shoes", "leather shoe", "blue sneaker shoes", "walking shoes"],
    "Shirts": ["cotton shirt", "linen shirts", "blue shirt", "striped shirt"],
    "Milk": ["whole milk", "oat milk", "milk carton", "fresh milk"],
    "Tea": ["green tea", "black tea bags", "herbal tea", "mint tea"],
}
COLORS = ("red", "blue", "green", "white", "black", "brown", "pink", "grey")


def write_shops(folder: Path, ids: Mapping[str, int] | None = None) -> None:
    """Write `products/` and `mappings/` in the form that training reads.

    Args:
        folder: Empty folder.
        ids: Ids of the categories by name; None for those of `TREE`.
    """
    (folder / "products").mkdir()
    (folder / "mappings").mkdir()
    ids = ids or {node.name: node.id for node in TREE.nodes}
    rows = [
        (f"{c} {t} {n}", name) for name, ts in TITLES.items() for t in ts for c in COLORS for n in ("x", "y")
    ]
    for shop in ("flipkart", "fashion_styles", "instacart"):
        lines = ["id\ttitle\tbrand\tcategory_path"]
        lines += [f"{number}\tAcme {title}\tAcme\t{name}" for number, (title, name) in enumerate(rows)]
        content = "\n".join(lines) + "\n"
        (folder / "products" / f"{shop}.tsv.gz").write_bytes(gzip.compress(content.encode()))
        mapping = "label\tgoogle_id\tgoogle_path\tnote\n" + "".join(f"{n}\t{ids[n]}\t\t\n" for n in TITLES)
        (folder / "mappings" / f"{shop}.tsv").write_text(mapping + "Mixed\t\t\t\n", encoding="utf-8")
    products = [
        {
            "title": f"{chr(0x4E00 + number)}鞋子",
            "attributes": [["品牌", "Ace/艾斯"]],
            "coarse": "Wear",
            "fine": "Shoes",
        }
        for number in range(60)
    ]
    text = b"\n".join(orjson.dumps(product) for product in products)
    for name in ("openbg", "openbg_attributes"):
        (folder / "products" / f"{name}.jsonl.gz").write_bytes(gzip.compress(text))
    line = f"Wear > Shoes\t{ids['Shoes']}\t\t\n"
    (folder / "mappings" / "openbg.tsv").write_text(
        "label\tgoogle_id\tgoogle_path\tnote\n" + line, encoding="utf-8"
    )
