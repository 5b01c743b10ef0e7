"""`python -m models.training.attributes.vocabulary_check --data FOLDER`: what the vocabulary drops.

The values of `hand_read.tsv`, each in the category that its title is published in: how many the vocabulary
drops as impossible there, right ones and wrong ones, and how many of the others get an id.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from models.attributes.vocabulary import Vocabulary
from models.enrichment.enricher import Enricher
from models.taxonomy.tree import Node
from models.training.attributes.hand_read import Verdict, digest_of, read_verdicts, texts_of
from schemas.events import Attribute, Evidence, ProductCreated

_NAMES = ("age_group", "colour", "gender", "material")
_ROWS = 128


@dataclass(slots=True)
class Count:
    """The values of one attribute.

    Attributes:
        read: Values in a published category.
        dropped_right: Right values that the category cannot have by the vocabulary.
        dropped_wrong: Wrong ones.
        kept_wrong: Wrong values that remain.
        with_id: Values with an id of the vocabulary.
    """

    read: int = 0
    dropped_right: int = 0
    dropped_wrong: int = 0
    kept_wrong: int = 0
    with_id: int = 0


def categories(titles: Iterable[str], enricher: Enricher) -> dict[str, Node]:
    """The published category of each title that has one."""
    distinct = list(dict.fromkeys(titles))
    found = {}
    for start in range(0, len(distinct), _ROWS):
        batch = distinct[start : start + _ROWS]
        listings = [ProductCreated(product_id="1", title=title) for title in batch]
        for title, each in zip(batch, enricher.enrich(listings), strict=True):
            if each.category is not None and each.review_reason is None:
                found[title] = enricher.taxonomy.node(each.category.id)
    return found


def count(verdicts: Iterable[tuple[Verdict, Node]], vocabulary: Vocabulary, version: str) -> dict[str, Count]:
    """Count by attribute what the vocabulary does to values in their categories.

    Args:
        verdicts: Values that were read, with the categories of their titles.
        vocabulary: The vocabulary.
        version: The version of the categories' tree.
    """
    counts = {name: Count() for name in _NAMES}
    for verdict, node in verdicts:
        evidence = Evidence(field="title", start=0, end=0, text="")
        given = Attribute(name=verdict.attribute, value=verdict.value, confidence=1.0, evidence=evidence)
        remaining = vocabulary.checked([given], node, version)
        each = counts[verdict.attribute]
        each.read += 1
        each.with_id += any(attribute.mapped is not None for attribute in remaining)
        each.kept_wrong += bool(remaining) and not verdict.right
        each.dropped_right += not remaining and verdict.right
        each.dropped_wrong += not remaining and not verdict.right
    return counts


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Data folder.")
def main(data: Path | None) -> None:
    """Print the table."""
    texts = {digest_of(text): text for text in texts_of(data, ()) if text}
    read = [
        (verdict, text)
        for verdict in read_verdicts()
        if verdict.field == "title" and verdict.attribute in _NAMES
        if (text := verdict.text or texts.get(verdict.digest, ""))
    ]
    enricher = Enricher.load()
    nodes = categories((text for _, text in read), enricher)
    placed = [(verdict, nodes[text]) for verdict, text in read if text in nodes]
    table = Table("attribute", title="Values of titles, read by hand, and the vocabulary")
    for column in ("in a category", "dropped right", "dropped wrong", "kept wrong", "with an id"):
        table.add_column(column, justify="right")
    for name, each in count(placed, Vocabulary.shipped(), enricher.taxonomy_version).items():
        cells = (each.read, each.dropped_right, each.dropped_wrong, each.kept_wrong, each.with_id)
        table.add_row(name, *map(str, cells))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
