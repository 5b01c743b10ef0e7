"""Measures what descriptions add if the title is only a name.

Run: `python -m benchmarks.descriptions`. There is no labeled data with descriptions, so the evaluation
titles imitate it. The first word of a title (the first two characters of a Chinese one) stands for the
listing's name, and the whole title for its description. Real names are less informative than these, and real
descriptions are longer.
"""

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from models.enrichment.enricher import Enricher
from models.evaluation.titles import LabeledTitle, own_titles
from models.taxonomy.label_hierarchy import each_same_or_ancestor
from models.taxonomy.tree import Taxonomy
from schemas.events import DecisionOutcome, ProductCreated


def name_of(title: LabeledTitle) -> str:
    """Return the part of a title that stands for a name."""
    return title.title[:2] if title.language == "zh" else title.title.split()[0]


def measure(
    enricher: Enricher, titles: list[LabeledTitle], products: list[ProductCreated], taxonomy: Taxonomy
) -> tuple[float, float, float]:
    """Enrich products and compare the categories with the labels.

    Returns:
        The proportion with the correct department, the proportion published, and the precision of those.
    """
    labels = np.array([title.category for title in titles])
    enrichments = enricher.enrich(products)
    chosen = np.array(
        [taxonomy.node(each.category.id).index if each.category else -1 for each in enrichments]
    )
    published = np.array([each.decision.outcome is DecisionOutcome.MODEL for each in enrichments])
    root = (chosen >= 0) & (taxonomy.lineage[chosen, 0] == taxonomy.lineage[labels, 0])
    # Titles without a category are never published, so their value does not count.
    correct = each_same_or_ancestor(chosen, labels, taxonomy)
    return (
        float(root.mean()),
        float(published.mean()),
        float(correct[published].mean()) if published.any() else 0.0,
    )


@click.command()
def main() -> None:
    """Print the table."""
    taxonomy, enricher = Taxonomy.google(), Enricher.load()
    table = Table("titles", "text", "department correct", "published", "precision of these")
    for language in ("en", "zh"):
        titles = [title for title in own_titles(taxonomy) if title.language == language]
        variants = {
            "the whole title": [ProductCreated(product_id="1", title=each.title) for each in titles],
            "a name": [ProductCreated(product_id="1", title=name_of(each)) for each in titles],
            "a name and a description": [
                ProductCreated(product_id="1", title=name_of(each), description=each.title) for each in titles
            ],
        }
        for variant, products in variants.items():
            figures = measure(enricher, titles, products, taxonomy)
            table.add_row(f"{len(titles)} {language}", variant, *(f"{figure:.1%}" for figure in figures))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
