"""Measures from which cosine on texts count as similar: the default of the setting `similar_min_cosine`.

Run: `python -m benchmarks.similar_floor`, with `--data FOLDER` for the held-out titles of the training shops
too (`docs/models/data.md` says what the folder holds). Each title is searched among the titles of its shop,
as the agent `affinity` does. A neighbor is right if it is in the same department, the top of its label.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from models.behavior.parameters import BehaviorParameters
from models.behavior.product_numbers import ProductNumbers
from models.behavior.similarity import SimilarityIndex
from models.enrichment.enricher import Enricher
from models.evaluation.titles import LabeledTitle, known_titles, own_titles
from models.taxonomy.tree import Taxonomy
from schemas.events import ProductCreated

FLOORS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def neighbors_of(
    enricher: Enricher, titles: Sequence[LabeledTitle], taxonomy: Taxonomy, count: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """Search for the most similar titles of each title.

    Args:
        enricher: Makes the embeddings.
        titles: Labeled titles of one shop; a text that repeats counts once.
        taxonomy: The category tree of the labels.
        count: Neighbors per title at most.

    Returns:
        Of each pair of neighbors: the cosine, whether both are in one department, and the title's number; all
        of shape (pairs,).
    """
    titles = list({title.title: title for title in titles}.values())
    products = [ProductCreated(product_id=str(at), title=each.title) for at, each in enumerate(titles)]
    numbers = ProductNumbers()
    index = SimilarityIndex(numbers)
    embeddings = {
        numbers.add(product.product_id): enrichment.embedding
        for product, enrichment in zip(products, enricher.enrich(products), strict=True)
        if enrichment.embedding is not None
    }
    index.put(embeddings)
    department = taxonomy.lineage[[title.category for title in titles], 0]
    cosines, right, of = [], [], []
    for number, found in index.nearest(list(embeddings), count).items():
        at = int(numbers.id_of(number))
        for name, cosine in found:
            cosines.append(cosine)
            right.append(department[int(name)] == department[at])
            of.append(at)
    return np.array(cosines), np.array(right, dtype=np.bool_), np.array(of, dtype=np.intp)


def rows(cosines: NDArray[np.float64], right: NDArray[np.bool_], of: NDArray[np.intp]) -> Iterator[list[str]]:
    """Yield a line of the table for each floor."""
    titles = len(np.unique(of))
    for low, high in zip(FLOORS, [*FLOORS[1:], 2.0], strict=True):
        kept, band = cosines >= low, (cosines >= low) & (cosines < high)
        yield [
            f"{low:.1f}",
            f"{kept.mean():.1%}",
            f"{right[kept].mean():.1%}" if kept.any() else "",
            f"{right[band].mean():.1%}" if band.any() else "",
            f"{1 - len(np.unique(of[kept])) / titles:.1%}",
        ]


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the training data.",
)
def main(data: Path | None) -> None:
    """Print a table for each shop."""
    taxonomy, enricher = Taxonomy.google(), Enricher.load()
    titles = own_titles(taxonomy) + (known_titles(data, taxonomy) if data else [])
    shops: dict[str, list[LabeledTitle]] = {}
    for title in titles:
        shops.setdefault(f"{title.source}, {title.shop}, {title.language}", []).append(title)
    count = BehaviorParameters().top_k
    for shop, labeled in shops.items():
        table = Table(
            "floor",
            "neighbors kept",
            "same department",
            "of those up to the next floor",
            "titles without any",
            title=f"{shop}: {len(labeled)} titles, {count} neighbors each",
        )
        for row in rows(*neighbors_of(enricher, labeled, taxonomy, count)):
            table.add_row(*row)
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
