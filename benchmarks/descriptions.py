"""What descriptions add where a title is a mere name.

Run: `python -m benchmarks.descriptions`. There is no labeled data with descriptions at hand, so that the
evaluation titles imitate it: the first word of each (of Chinese ones the first two characters) stands for a
listing's name, and the whole title for its description. Names that real shops give say less than these, and
real descriptions say more, and more besides.
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
    """What stands for a name."""
    return title.title[:2] if title.language == "zh" else title.title.split()[0]


def measured(
    enricher: Enricher, titles: list[LabeledTitle], products: list[ProductCreated], taxonomy: Taxonomy
) -> tuple[float, float, float]:
    """The shares with the right department, published, and right of those published."""
    labels = np.array([title.category for title in titles])
    found = enricher.enrich(products)
    chosen = np.array([taxonomy.node(each.category.id).index if each.category else -1 for each in found])
    sure = np.array([each.decision.outcome is DecisionOutcome.MODEL for each in found])
    root = (chosen >= 0) & (taxonomy.lineage[chosen, 0] == taxonomy.lineage[labels, 0])
    # Titles without a category are never published, so their value does not count.
    right = each_same_or_ancestor(chosen, labels, taxonomy)
    return float(root.mean()), float(sure.mean()), float(right[sure].mean()) if sure.any() else 0.0


@click.command()
def main() -> None:
    """Print the table."""
    taxonomy, enricher = Taxonomy.google(), Enricher.load()
    table = Table("titles", "what is read", "department right", "published", "right of those")
    for language in ("en", "zh"):
        titles = [title for title in own_titles(taxonomy) if title.language == language]
        ways = {
            "the whole title": [ProductCreated(product_id="1", title=each.title) for each in titles],
            "a name": [ProductCreated(product_id="1", title=name_of(each)) for each in titles],
            "a name and a description": [
                ProductCreated(product_id="1", title=name_of(each), description=each.title) for each in titles
            ],
        }
        for way, products in ways.items():
            shares = measured(enricher, titles, products, taxonomy)
            table.add_row(f"{len(titles)} {language}", way, *(f"{share:.1%}" for share in shares))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
