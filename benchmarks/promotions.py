"""Measures how often promotions around a title change what is published.

Run: `python -m benchmarks.promotions`, or with `--data FOLDER` also on titles of the split `test` of its
shops. Each title is enriched as it is and with promotions, once as it serves and once
with all of the title read.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from models.enrichment.category_evidence import ListingText
from models.enrichment.enricher import Enricher, Enrichment
from models.evaluation.titles import LabeledTitle, known_titles, own_titles
from models.serving_config import ServingConfig
from models.taxonomy.label_hierarchy import each_same_or_ancestor
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from schemas.events import DecisionOutcome, ProductCreated

BATCH = 256
ZERO_WIDTH_SPACE = "\u200b"


class ReadsPromotions(Enricher):
    """An enricher whose classifier reads all of a title."""

    def _listing_text(self, product: ProductCreated) -> ListingText:
        return super()._listing_text(product)._replace(text=clean(product.title))


def _within_longest_word(title: str) -> str:
    word = max(title.split(), key=len)
    return title.replace(word, word[: len(word) // 2] + ZERO_WIDTH_SPACE + word[len(word) // 2 :], 1)


DRESSED: dict[str, Callable[[LabeledTitle], str]] = {
    "NEW in front": lambda each: f"新品 {each.title}" if each.language == "zh" else f"NEW {each.title}",
    "!! behind": lambda each: f"{each.title}!!",
    "[SALE] in front": lambda each: (
        f"【包邮】{each.title}" if each.language == "zh" else f"[SALE] {each.title}"
    ),
    "promotion behind": lambda each: each.title + (" 促销" if each.language == "zh" else " - FREE SHIPPING"),
    "zero-width space": lambda each: _within_longest_word(each.title),
}


def enrich(enricher: Enricher, titles: Sequence[str]) -> list[Enrichment]:
    """Enrich titles in batches."""
    products = [ProductCreated(product_id="1", title=title) for title in titles]
    return [
        enrichment
        for start in range(0, len(products), BATCH)
        for enrichment in enricher.enrich(products[start : start + BATCH])
    ]


def changes(plain: Sequence[Enrichment], dressed: Sequence[Enrichment]) -> tuple[float, float]:
    """The shares of listings whose outcome or published category changes, and whose category tags change."""
    pairs = list(zip(plain, dressed, strict=True))
    outcomes = [_published(before) != _published(after) for before, after in pairs]
    tags = [_category_tags(before) != _category_tags(after) for before, after in pairs]
    return float(np.mean(outcomes)), float(np.mean(tags))


def _published(enrichment: Enrichment) -> int | None:
    if enrichment.decision.outcome is not DecisionOutcome.MODEL or enrichment.category is None:
        return None
    return enrichment.category.id


def _category_tags(enrichment: Enrichment) -> list[tuple[str, float]]:
    return [(tag.name, tag.confidence) for tag in enrichment.tags if tag.source == "category"]


def right(titles: Sequence[LabeledTitle], enrichments: Sequence[Enrichment], taxonomy: Taxonomy) -> str:
    """The share of titles that are published, and how many of those are right."""
    published = [_published(each) for each in enrichments]
    rows = [row for row, category in enumerate(published) if category is not None]
    chosen = np.array([taxonomy.node(category).index for category in published if category is not None])
    labels = np.array([titles[row].category for row in rows])
    return f"{len(rows) / len(titles):.1%} at {each_same_or_ancestor(chosen, labels, taxonomy).mean():.1%}"


@click.command()
@click.option("--data", default=None, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--titles", "count", default=500, show_default=True, help="The most titles of each shop.")
def main(data: Path | None, count: int) -> None:
    """Print the table."""
    taxonomy, serving = Taxonomy.google(), Enricher.load(ServingConfig())
    reading = ReadsPromotions.load(ServingConfig())
    titles = own_titles(taxonomy) + (known_titles(data, taxonomy) if data else [])
    table = Table("titles", "form", "outcome changes", "all read", "category tags change", "all read")
    plain_table = Table("titles", "published at precision, plain", "all read")
    for shop in dict.fromkeys(each.shop for each in titles):
        chosen = [each for each in titles if each.shop == shop]
        chosen = Random(1).sample(chosen, min(count, len(chosen)))
        plain = [enrich(each, [title.title for title in chosen]) for each in (serving, reading)]
        plain_table.add_row(f"{len(chosen)} {shop}", *(right(chosen, each, taxonomy) for each in plain))
        for form, dress in DRESSED.items():
            dressed = [enrich(each, [dress(title) for title in chosen]) for each in (serving, reading)]
            (outcome, tags), (outcome_read, tags_read) = map(changes, plain, dressed)
            cells = (outcome, outcome_read, tags, tags_read)
            table.add_row(f"{len(chosen)} {shop}", form, *(f"{cell:.1%}" for cell in cells))
    console = Console(width=110)
    console.print(table)
    console.print(plain_table)


if __name__ == "__main__":
    main()
