"""Measures what each kind of field beside the title does to the category.

Run: `python -m benchmarks.listing_evidence` for the committed titles and the demo's shop.
With `--data FOLDER`, which holds `products/` and `mappings/` as in training, also for titles of its shops
that no model was trained on: those of the split `test`. The weights were chosen on the split `calibration`.
If the folder has `shopify/`, names of categories in other languages show which languages are detected.
"""

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import click
import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from models.arrays import Booleans
from models.enrichment.enricher import Enricher
from models.enrichment.event_builder import CONTRADICTION
from models.evaluation.titles import own_titles
from models.taxonomy.label_hierarchy import each_same_or_ancestor
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.training.data.corpus import read_rows, read_shops
from schemas.events import DecisionOutcome, ProductCreated

SHOPS = ("flipkart", "fashion_styles", "instacart", "openbg")
DEMO = Path(__file__).parents[1] / "streams" / "demo" / "sample" / "products.jsonl.gz"
OTHER_LANGUAGES = ("de", "fr", "it", "es", "nl", "pl", "ja", "ko")
_ALL_NOISE: dict[str, str] = {
    "availability": "out of stock",
    "price": "$ 19.99 USD",
    "color": "Rock White, Velvet Black, Bronze",
    "size": "S, M, L, XL",
    "sku": "PW-20-RED-0417",
    "shipping": "US::Standard Ground:0.00 USD",
    "condition": "new",
    "Option1 Name": "Title",
    "Option1 Value": "Default Title",
    "tags": "summer, sale, new arrival",
}
_HTML = (
    '<div class="dark:border-gray-900/50 xl:max-w-3xl"><!-- brand: Acme --><p style="color: black; '
    'font-size: 0.875rem">{}</p><a href="https://shop.example/red-shoes">Read more</a></div>'
)
Change = Callable[[ProductCreated, dict[str, Any]], ProductCreated | None]
"""Adds a field to a listing, from its row; None where the row does not have it."""


@dataclass(frozen=True)
class Shop:
    """Listings with their labels.

    Attributes:
        name: The shop's name.
        products: Listings with a title alone.
        rows: Their rows; empty ones for committed titles.
        labels: Index of each label; -1 without a label.
    """

    name: str
    products: list[ProductCreated]
    rows: list[dict[str, Any]]
    labels: list[int]


def _attributes(fields: dict[str, str]) -> Change:
    return lambda product, row: _with(product, attributes=fields)


def _with(product: ProductCreated, **fields: Any) -> ProductCreated:
    return ProductCreated(product_id=product.product_id, title=product.title, **fields)


def _type(product: ProductCreated, row: dict[str, Any]) -> ProductCreated | None:
    path = row.get("category_path")
    return _with(product, attributes={"product_type": path.split(" > ")[-1]}) if path else None


def _path(product: ProductCreated, row: dict[str, Any]) -> ProductCreated | None:
    path = row.get("category_path")
    return _with(product, shop_category=path) if path else None


def _brand(product: ProductCreated, row: dict[str, Any]) -> ProductCreated | None:
    return _with(product, brand=row["brand"]) if row.get("brand") else None


def _unbranded(product: ProductCreated, row: dict[str, Any]) -> ProductCreated | None:
    """The brand as a field of its own in place of the title's first words."""
    brand = row.get("brand") or ""
    rest = product.title[len(brand) :].strip()
    if not brand or not rest or not product.title.lower().startswith(brand.lower()):
        return None
    return _with(ProductCreated(product_id=product.product_id, title=rest), brand=brand)


def _pairs(product: ProductCreated, row: dict[str, Any]) -> ProductCreated | None:
    pairs = row.get("attributes")
    return _with(product, attributes=dict(pairs)) if pairs else None


def _everything(product: ProductCreated, row: dict[str, Any]) -> ProductCreated:
    own = dict(row.get("attributes") or [])
    return _with(
        product,
        brand=row.get("brand") or None,
        shop_category=row.get("category_path") or None,
        description=_HTML.format(product.title),
        attributes=_ALL_NOISE | own,
    )


CHANGES: dict[str, Change] = {
    **{
        name: _attributes({name: value})
        for name, value in _ALL_NOISE.items()
        if not name.startswith("Option")
    },
    "options": _attributes({name: value for name, value in _ALL_NOISE.items() if name.startswith("Option")}),
    "all of these": _attributes(_ALL_NOISE),
    "material": _attributes({"material": "cotton"}),
    "description in HTML": lambda product, row: _with(product, description=_HTML.format(product.title)),
    "brand": _brand,
    "brand out of the title": _unbranded,
    "pairs of the shop": _pairs,
    "product type": _type,
    "shop's path": _path,
    "everything": _everything,
}


def own_shops(taxonomy: Taxonomy) -> list[Shop]:
    """The committed titles, and the demo's shop, which has no labels."""
    shops = []
    for source in dict.fromkeys(title.source for title in own_titles(taxonomy)):
        titles = [title for title in own_titles(taxonomy) if title.source == source]
        products = [ProductCreated(product_id="1", title=each.title) for each in titles]
        shops.append(Shop(source, products, [{} for _ in titles], [each.category for each in titles]))
    lines = gzip.decompress(DEMO.read_bytes()).splitlines()
    products = [ProductCreated(product_id="1", title=orjson.loads(line)["title"]) for line in lines]
    return [*shops, Shop("the demo's shop", products, [{} for _ in lines], [-1] * len(lines))]


def data_shops(data: Path, taxonomy: Taxonomy, count: int, split: str) -> list[Shop]:
    """A seeded sample of a split of each shop's titles, with their rows."""
    found = []
    for shop in SHOPS:
        labels = {
            each.text: each.category
            for each in read_shops(data, taxonomy, [shop])
            if each.split == split and each.kind == "title"
        }
        rows = {clean(row["title"]): row for row in reversed([*read_rows(data, shop)])}
        titles = sorted(labels.keys() & rows.keys())
        sample = Random(7).sample(titles, min(count, len(titles)))
        products = [ProductCreated(product_id="1", title=rows[each]["title"]) for each in sample]
        found.append(Shop(shop, products, [rows[each] for each in sample], [labels[each] for each in sample]))
    return found


def outcomes(
    enricher: Enricher, products: Sequence[ProductCreated], labels: Sequence[int]
) -> tuple[Booleans, Booleans]:
    """Whether each listing was decided, and whether its category is the label or an ancestor of it."""
    enrichments = enricher.enrich(products)
    decided = np.array([each.decision.outcome is not DecisionOutcome.ABSTAINED for each in enrichments])
    tree = enricher.taxonomy
    chosen = np.array([tree.node(each.category.id).index if each.category else -1 for each in enrichments])
    known = np.array(labels)
    right = np.where(known >= 0, each_same_or_ancestor(chosen, np.maximum(known, 0), tree), True)
    return decided, right & (chosen >= 0)


def field_table(enricher: Enricher, shop: Shop) -> Table:
    """What each change does to one shop's listings that have the field."""
    labeled = max(shop.labels) >= 0
    table = Table(shop.name, "listings", "decided", "with the field", "right", "with it", "lost", "won")
    before, fit = outcomes(enricher, shop.products, shop.labels)
    for name, change in CHANGES.items():
        changed = [change(product, row) for product, row in zip(shop.products, shop.rows, strict=True)]
        rows = [number for number, product in enumerate(changed) if product is not None]
        if not rows:
            continue
        after, right = outcomes(
            enricher, [each for each in changed if each is not None], [shop.labels[row] for row in rows]
        )
        old, old_right = before[rows], fit[rows]
        if change is _unbranded:
            alone = [_with(each) for each in changed if each is not None]
            old, old_right = outcomes(enricher, alone, [shop.labels[row] for row in rows])
        table.add_row(
            name,
            f"{len(rows):,}",
            *(f"{old.mean():.1%}", f"{after.mean():.1%}"),
            *((f"{old_right[old].mean():.1%}", f"{right[after].mean():.1%}") if labeled else ("", "")),
            f"{int((old & old_right & ~(after & right)).sum())}",
            f"{int((after & right & ~(old & old_right)).sum())}",
        )
    return table


def contradiction_table(enricher: Enricher, shops: Sequence[Shop]) -> Table:
    """How often a right, and a randomly wrong, given category is sent to review."""
    table = Table(f"given category, contradicted from {CONTRADICTION}", "listings", "right one", "wrong one")
    for shop in shops:
        if max(shop.labels) < 0:
            continue
        nodes = enricher.taxonomy.nodes
        shuffled = Random(3).choices(range(len(nodes)), k=len(shop.labels))
        rates = []
        for given in (shop.labels, shuffled):
            products = [
                _with(each, category=nodes[label].id)
                for each, label in zip(shop.products, given, strict=True)
            ]
            rates.append(1.0 - outcomes(enricher, products, shop.labels)[0].mean())
        table.add_row(shop.name, f"{len(shop.labels):,}", *(f"{rate:.2%}" for rate in rates))
    return table


def language_table(enricher: Enricher, shops: Sequence[Shop], data: Path | None) -> Table:
    """The share of titles that are detected as another language than English and Chinese."""
    titles = {shop.name: [each.title for each in shop.products] for shop in shops}
    names = data / "shopify" / "category_names.tsv.gz" if data is not None else None
    if names is not None and names.exists():
        with gzip.open(names, "rt", encoding="utf-8", newline="") as lines:
            rows = [*csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
        for language in OTHER_LANGUAGES:
            titles[f"names in {language}"] = sorted({row[language].split(" > ")[-1] for row in rows})
    table = Table("titles", "count", "other language", "by language")
    for name, texts in titles.items():
        found = [
            each.language
            for each in enricher.enrich([ProductCreated(product_id="1", title=text) for text in texts])
        ]
        other = [language for language in found if language not in (None, "en", "zh")]
        counts = {language: other.count(language) for language in dict.fromkeys(other)}
        likeliest = sorted(counts.items(), key=lambda item: -item[1])[:4]
        shown = ", ".join(f"{language} {count}" for language, count in likeliest)
        table.add_row(name, f"{len(texts):,}", f"{len(other) / len(texts):.2%}", shown)
    return table


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--titles", "count", default=1_000, show_default=True, help="At most so many titles of a shop.")
@click.option("--split", default="test", show_default=True, type=click.Choice(["test", "calibration"]))
def main(data: Path | None, count: int, split: str) -> None:
    """Print the tables."""
    taxonomy, enricher, console = Taxonomy.google(), Enricher.load(), Console(width=120)
    shops = own_shops(taxonomy) + (data_shops(data, taxonomy, count, split) if data is not None else [])
    for shop in shops:
        console.print(field_table(enricher, shop))
    console.print(contradiction_table(enricher, shops))
    console.print(language_table(enricher, shops, data))


if __name__ == "__main__":
    main()
